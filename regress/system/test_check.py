# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""beacond -n: what a start would find wrong is said without one."""

import os
import pwd
import re

import pytest

import keys
from beacon import IS_ROOT, USER, Beacon, write
from test_operator import run


def check(b, ok, *said):
    """Its status is that, and it says all of these; what it says."""
    status, out, errors = run(b, "-n", "-f", b.conf_path)
    assert status == ok, (status, errors)
    assert ("configuration OK" in errors) == (ok == 0) and not out, errors
    for text in said:
        assert re.search(text, errors, re.M), (text, errors)
    return errors


@pytest.fixture
def b():
    b = Beacon()
    yield b
    b.clean_up()


def test_all_is_well(b):
    check(b, 0, "^beacond: 32 keys in %s, 0 bad lines$" % b.keys_path)
    # None of it stays.
    assert sorted(os.listdir(b.directory)) == ["beacond.conf", "keys"]
    write(b.keys_path, "# nobody yet\n")
    check(b, 0, "^beacond: 0 keys in ", "^beacond: %s: no key in it: nobody" %
        b.keys_path)


def test_bad_lines_of_the_key_file(b):
    b.write_keys(keys.line(1) + "nonsense\n" + keys.line(2) + "3 short\n" +
        keys.line(1))
    said = check(b, 1, "^beacond: %s:2: node id is not" % b.keys_path,
        "^beacond: %s:4: key is not 32 bytes" % b.keys_path,
        "^beacond: %s:5: node has a key already" % b.keys_path,
        "2 keys in .*, 3 bad lines")
    assert len(re.findall(r"/keys:\d+: ", said)) == 3
    # However many: the log is no copy of the file.
    b.write_keys("nonsense\n" * 1000)
    said = check(b, 1, ": 980 more bad lines")
    assert len(re.findall(r"/keys:\d+: ", said)) == 20


def test_a_key_file_that_cannot_be_had(b):
    os.chmod(b.keys_path, 0o666)
    check(b, 1, "others can write to it; chmod go-w %s" % b.keys_path)
    os.unlink(b.keys_path)
    check(b, 1, '^beacond: keys file %s: create it, or set "keys file"' %
        b.keys_path)
    os.mkdir(b.keys_path)
    check(b, 1, "keys file %s: not a regular file" % b.keys_path)
    os.rmdir(b.keys_path)


def test_it_is_opened_as_the_user_that_a_start_becomes(b):
    os.chmod(b.keys_path, 0)
    check(b, 1, "keys file .*: our user must be allowed to read it")


def test_users_that_there_are_not(b):
    with open(b.conf_path) as f:
        lines = [line for line in f if not line.startswith("user")]
    names = ["worker user", "auth user", "metrics user", "router user"]
    named = ['%s "who-%d"\n' % (name, i) for i, name in enumerate(names)]
    write(b.conf_path, "".join(lines + named))
    said = check(b, 1, *('^%s:%d: %s "who-%d" does not exist; create it: '
        "useradd .* who-%d$" % (b.conf_path, len(lines) + 1 + i, name, i, i)
        for i, name in enumerate(names)), "32 keys")
    assert said.count("does not exist") == 4
    # Nothing is root but, if that is wanted, the router.
    write(b.conf_path, "".join(lines + ['user "root"\n',
        'router socket "%s/router"\nrouter user "root"\n' % b.directory]))
    said = check(b, 1, '^%s:%d: user "root" is root; name another$' %
        (b.conf_path, len(lines) + 1))
    assert "router user" not in said


def test_a_token_that_a_start_would_refuse(b):
    token = os.path.join(b.directory, "token")
    b.write_conf('admin token file "%s"' % token)
    with open(b.conf_path) as f:
        line = [text[:5] for text in f].index("admin") + 1
    said = "^%s:%d: admin token file %s: " % (b.conf_path, line, token)
    check(b, 1, said + "No such file", "32 keys")
    write(token, "two words\n")
    check(b, 1, said + "not only its owner's; chmod 600$")
    os.chmod(token, 0o600)
    check(b, 1, said + "not one line of 1 to 127 printable characters$")
    with open(token, "w") as f:
        f.write("a-token\n")
    check(b, 0)
    if IS_ROOT:
        # Under the unit it is the user who starts it.
        os.chown(token, pwd.getpwnam(USER).pw_uid, 0)
        check(b, 0)
        os.chown(token, 1, 0)
        check(b, 1, said + "another user's; chown root$")


def test_without_a_key_file_none_is_read():
    b = Beacon('keys snapshot "/nonexistent/snapshot"', nodes=None)
    try:
        assert "keys in" not in check(b, 0)
    finally:
        b.clean_up()


if IS_ROOT:
    def test_root_without_a_user_is_told_so_and_reads_as_nobody():
        b = Beacon()
        try:
            with open(b.conf_path) as f:
                text = f.read().replace('user "', '#user "')
            write(b.conf_path, text)
            os.chmod(b.keys_path, 0o600)
            check(b, 1, "32 keys in ", "^%s: started as root without a user "
                'to become; set: user "_beacond"$' % b.conf_path)
        finally:
            b.clean_up()
