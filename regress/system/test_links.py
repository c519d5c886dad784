# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Configuration and keys that lie elsewhere than where they are named.

What the start could read a reload can read, wherever links lead; or the start
fails and says why.
"""

import contextlib
import os
import shutil

import pytest

import keys
from beacon import IS_ROOT, Beacon, write
from client import Client, login

OLD, NEW = 1, 2


class Linked(Beacon):
    """A place for files that is not beneath b.directory: b.real."""

    def __init__(self, conf="", **how):
        super().__init__(conf, nodes=[OLD], workers=1, **how)
        self.real = self.directory + "-real"
        os.mkdir(self.real)
        os.chmod(self.real, 0o755)

    def clean_up(self):
        super().clean_up()
        shutil.rmtree(self.real, ignore_errors=True)

    def named(self, *parts):
        """Below b.directory: what the configuration says."""
        return os.path.join(self.directory, *parts)

    def there(self, *parts):
        return os.path.join(self.real, *parts)

    def keys_named(self, path):
        """The configuration speaks of that path instead."""
        os.unlink(self.keys_path)
        self.keys_path = path
        self.write_conf("", 1)


def replace(path, text):
    """As README has it: a new file in the place of the old one."""
    write(path + ".new", text)
    os.rename(path + ".new", path)


def check(b, put):
    """Both nodes log in, the new one when put() has put its key there."""
    with b:
        with login(b, OLD):
            pass
        with Client(b.port) as early:
            early.send_reply(NEW)
            early.expect_close(1008)
        put(keys.line(OLD) + keys.line(NEW))
        b.ctl("reload", text=True)
        for node in (OLD, NEW):
            with login(b, node):
                pass


def test_key_file_is_a_link():
    b = Linked()
    os.symlink(b.there("keys"), b.named("link"))
    b.keys_named(b.named("link"))
    write(b.there("keys"), keys.line(OLD))
    check(b, lambda text: replace(b.there("keys"), text))


def test_key_file_is_in_a_linked_directory():
    b = Linked()
    os.symlink(b.real, b.named("link"))
    b.keys_named(b.named("link", "keys"))
    write(b.there("keys"), keys.line(OLD))
    check(b, lambda text: replace(b.there("keys"), text))


def test_key_file_is_at_the_end_of_a_chain():
    """Relative and absolute links, to files and directories, in turn."""
    b = Linked()
    for directory in ("a", "b", "c"):
        os.mkdir(b.there(directory))
    os.symlink(os.path.relpath(b.real, b.directory), b.named("away"))
    os.symlink("away/a/one", b.named("link"))
    os.symlink("../dir/two", b.there("a/one"))
    os.symlink(b.there("b"), b.there("dir"))
    os.symlink("../c/keys", b.there("b/two"))
    b.keys_named(b.named("link"))
    write(b.there("c/keys"), keys.line(OLD))
    check(b, lambda text: replace(b.there("c/keys"), text))


def test_link_itself_is_replaced():
    b = Linked()
    for version in ("keys-1", "keys-2"):
        write(b.there(version), keys.line(OLD))
    os.symlink(b.there("keys-1"), b.named("link"))
    b.keys_named(b.named("link"))

    def put(text):
        write(b.there("keys-2"), text)
        os.symlink(b.there("keys-2"), b.named("link.new"))
        os.rename(b.named("link.new"), b.named("link"))
    check(b, put)


@contextlib.contextmanager
def configured(b, path):
    """For Beacon.write_conf(): to that path."""
    was, b.conf_path = b.conf_path, path
    yield
    b.conf_path = was


def test_configuration_is_a_link():
    b = Linked()
    os.rename(b.conf_path, b.there("beacond.conf"))
    os.symlink(b.there("beacond.conf"), b.conf_path)
    with b:
        with configured(b, b.there("beacond.conf")):
            b.write_conf("max peers 7", 1)
        b.ctl("reload", text=True)
        assert b.ctl("show", "summary")["max_peers"] == 7


def test_configuration_is_in_a_linked_directory():
    b = Linked()
    os.rename(b.conf_path, b.there("beacond.conf"))
    os.symlink(b.real, b.named("etc"))
    b.conf_path = b.named("etc", "beacond.conf")
    with b:
        with configured(b, b.there("beacond.conf")):
            b.write_conf("max peers 7", 1)
        b.ctl("reload", text=True)
        assert b.ctl("show", "summary")["max_peers"] == 7


@pytest.mark.parametrize("linked", [True, False])
def test_included_file_lies_elsewhere(linked):
    b = Linked()
    name = b.named("included") if linked else b.there("included")
    if linked:
        os.symlink(b.there("included"), name)
    write(b.there("included"), "max peers 6\n")
    b.write_conf('include "%s"' % name, 1)
    with b:
        assert b.ctl("show", "summary")["max_peers"] == 6
        replace(b.there("included"), "max peers 7\n")
        b.ctl("reload", text=True)
        assert b.ctl("show", "summary")["max_peers"] == 7


def test_config_map():
    """As Kubernetes mounts one, and swaps it."""
    b = Linked()

    def put(text, version="..2026_02"):
        os.mkdir(b.there(version))
        os.chmod(b.there(version), 0o755)
        write(b.there(version, "keys"), text)
        os.symlink(version, b.there("..data_tmp"))
        os.rename(b.there("..data_tmp"), b.there("..data"))
    put(keys.line(OLD), "..2026_01")
    os.symlink("..data/keys", b.there("keys"))
    b.keys_named(b.there("keys"))

    def swap(text):
        put(text)
        shutil.rmtree(b.there("..2026_01"))
    check(b, swap)


def test_where_the_start_was_not_a_reload_cannot_read():
    b = Linked()
    os.mkdir(b.there("keys.d"))
    os.chmod(b.there("keys.d"), 0o755)
    write(b.there("keys.d", "keys"), keys.line(OLD))
    write(b.there("keys.d", "included"), "")
    with b:
        conf = b.write_conf
        b.keys_path = b.there("keys.d", "keys")
        conf("", 1)
        b.ctl("reload", text=True, ok=1)
        b.wait_line(r"keys\.d/keys: .*Landlock allows only the directories that "
            "were in use at the start")
        conf('include "%s"' % b.there("keys.d", "included"), 1)
        b.ctl("reload", text=True, ok=1)
        b.wait_line(r"keys\.d/included: Permission denied")
        b.wait_line(r"Permission denied; .* were in use at the start; a restart "
            "allows")
        with login(b, OLD):
            pass


@pytest.mark.skipif(not IS_ROOT, reason="it takes root to become another")
@pytest.mark.parametrize("what", ["configuration", "included", "keys"])
def test_what_root_alone_can_read_stops_the_start(what):
    b = Linked()
    try:
        write(b.named("included"), "")
        b.write_conf('include "%s"' % b.named("included"), 1)
        path = {"configuration": b.conf_path, "keys": b.keys_path,
            "included": b.named("included")}[what]
        os.chmod(path, 0o600)
        b.launch()
        assert b.proc.wait(20) == 1
        b.reader.join(20)
        assert any(path in line and "Permission denied" in line and
            "must be allowed to read it" in line for line in b.lines), b.lines
        assert not os.path.exists(b.socket)
    finally:
        b.clean_up()
