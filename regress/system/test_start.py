# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What it says when it cannot start: which call, for what, why, and what to do.

No failure before "ready" is without a word.
"""

import errno
import os
import re
import shutil
import socket
import tempfile

import pytest

from beacon import BUILD, IS_ROOT, Beacon
from client import login
from test_inherited import Heir

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
DENIED = os.path.join(BUILD, "hostile", "denied")
ALLOW = "allow it there (podman, docker: --security-opt seccomp=FILE; " \
    "systemd: SystemCallFilter=)"
REMEDIES = {
    "EPERM":
        "a container's seccomp profile or the unit may forbid it: " + ALLOW,
    "ENOSYS": "the kernel is too old, or a container's seccomp profile forbids "
        "it: " + ALLOW}
LANDLOCK = ["landlock_create_ruleset", "landlock_add_rule",
    "landlock_restrict_self"]

# Without these no program begins; or what they say is of no consequence.
NEEDED_BY_ALL = set("access arch_prctl brk close exit_group fstat mmap mprotect "
    "munmap newfstatat openat pread64 read rt_sigreturn set_tid_address write "
    "getpid getppid".split())
# By another name than that of the function that is called.
NAMES = {"clone": "fork", "prlimit64": "getrlimit",
    "rt_sigprocmask": "sigprocmask"}
BEFORE_THE_SANDBOX = set("capget fchown fchownat getpriority lchown listen "
    "mkdir readlink setfsgid setfsuid setpriority umask".split())


def calls():
    """All that the parent's filter lets pass, and what comes before it."""
    with open(os.path.join(ROOT, "parent/sandbox.c")) as f:
        found = set(re.findall(r"SANDBOX_(?:ALLOW|DENY)\d?\(\s*(\w+)",
            f.read()))
    assert len(found) > 80
    return sorted((found | BEFORE_THE_SANDBOX) - NEEDED_BY_ALL)


class Hidden(Beacon):
    """Started by that name in that directory, where there is no /proc."""

    def __init__(self, directory, name, **how):
        self.at, self.name = directory, name
        super().__init__(**how)

    def command(self, *args):
        return ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && '
            'cd "$1" && shift && exec "$@"', "sh", self.at, self.name,
            *super().command(*args)[1:]]


def outcome(b, *args):
    """Starts it; its lines if it did not get ready, else None."""
    try:
        b.launch(*args)
        try:
            b.wait_line("^beacond: ready$")
            return None
        except AssertionError:
            # 1: it said so; anything else: it was ended.
            assert b.proc.wait(20) == 1, b.lines
        b.reader.join(20)
        return b.lines
    finally:
        b.clean_up()


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("call", calls())
def test_denied_call_is_named(call, error):
    lines = outcome(Heir([DENIED, error, call], udp=True))
    if lines is None:
        return
    assert any(re.search(r"\b%s\b" % NAMES.get(call, call), line)
        for line in lines), lines
    why = os.strerror(getattr(errno, error))
    assert any(why in line and REMEDIES[error] in line
        for line in lines), lines


@pytest.mark.parametrize("error, calls", [("EPERM", LANDLOCK),
    ("EPERM", LANDLOCK[1:]), ("ENOSYS", LANDLOCK[2:])])
def test_a_profile_from_before_landlock(error, calls):
    """It says at once all that must be allowed."""
    said = "\n".join(outcome(Heir([DENIED, error, ",".join(calls)])))
    assert re.search(
        r"%s \(of %s, %s and %s, which must be allowed\): %s; .*%s" % (calls[0],
            *LANDLOCK, os.strerror(getattr(errno, error)), re.escape(ALLOW)),
        said), said


def test_no_landlock_is_a_warning():
    b = Heir([DENIED, "ENOSYS", ",".join(LANDLOCK)])
    with b:
        b.wait_line("no Landlock: .*; the kernel has none .*, or a container's "
            "seccomp profile does not allow %s, %s and %s" % tuple(LANDLOCK))


@pytest.mark.skipif(not IS_ROOT, reason="it takes root to hide a directory")
def test_it_starts_without_proc():
    """Whether the name is relative, or that of a link."""
    link = tempfile.mkdtemp()
    try:
        os.symlink(os.path.join(BUILD, "beacond"), link + "/it")
        for directory, name in (("/", os.path.join(BUILD, "beacond")),
                (BUILD, "./beacond"), (link, "./it")):
            with Hidden(directory, name) as b:
                assert not any("/proc" in line for line in b.lines), b.lines
                login(b, 1).close()
    finally:
        shutil.rmtree(link)


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_it_starts_without_close_range(error):
    assert outcome(Heir([DENIED, error, "close_range"])) is None


def refused(conf, before=(), **how):
    b = Heir(list(before), conf=conf, **how)
    lines = outcome(b)
    assert lines is not None
    return "\n".join(lines)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


WITHOUT_IPV6 = [DENIED, "EAFNOSUPPORT", "socket=%d" % socket.AF_INET6]


@pytest.mark.parametrize("line", ["listen on * port 0",
    "listen udp on :: port 0"])
def test_no_ipv6_and_all_addresses(line):
    said = refused(line, WITHOUT_IPV6, listen=False)
    assert re.search(r"cannot listen on \[::\]:0: socket: Address family not "
        r"supported by protocol; there is no IPv6 here: name an IPv4 "
        r"address, 0\.0\.0\.0 in place of \*", said), said
    assert "systemd" not in said


def test_no_network_but_that_of_the_service_manager():
    said = refused("listen on 127.0.0.1 port 0", [DENIED, "EAFNOSUPPORT",
        "socket=%d,socket=%d" % (socket.AF_INET, socket.AF_INET6)],
        listen=False)
    assert "under systemd, name it in beacond.socket" in said, said


@pytest.mark.parametrize("one, two", [("0.0.0.0", "::"), ("::", "0.0.0.0"),
    ("*", "127.0.0.1"), ("127.0.0.1", "*"), ("::1", "*"),
    ("0.0.0.0", "127.0.0.1")])
def test_two_lines_want_one_port(one, two):
    port = free_port()
    said = refused("listen on %s port %d\nlisten on %s port %d" % (one, port,
        two, port), listen=False)
    lines = re.findall(r"beacond\.conf:(\d+)", said)
    assert len(lines) == 2 and int(lines[0]) == int(lines[1]) + 1, said
    assert "Address already in use" in said and "has that port" in said, said
    assert "stop the program" not in said, said


def test_port_of_another_program():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refused("listen on 127.0.0.1 port %d" % other.getsockname()[1],
            listen=False)
    assert "stop the program that uses it or take another port" in said, said


def test_address_of_another_machine():
    said = refused("listen on 192.0.2.1 port 0", listen=False)
    assert re.search("bind: Cannot assign requested address; the address is "
        "not one of this machine", said), said


@pytest.mark.skipif(not IS_ROOT, reason="it takes root not to be the user")
def test_user_that_the_user_namespace_does_not_have():
    b = Heir(["unshare", "--user", "--map-root-user"])
    os.chown(b.directory, 0, 0)
    lines = outcome(b)
    assert lines, "it started"
    assert re.search(r'user "nobody" does not exist in this user namespace: '
        r"uid \d+ or gid \d+ is not mapped", "\n".join(lines)), lines


def test_memory_that_is_not_there():
    lines = outcome(Heir(["prlimit", "--as=%d" % (60 << 20)]))
    assert lines is not None
    said = "\n".join(lines)
    assert re.search("mmap of [0-9]+ bytes: Cannot allocate memory; it takes "
        "more memory, or a higher limit of it", said), said


def test_files_that_may_not_grow():
    """SIGXFSZ would end it without a word."""
    lines = outcome(Heir(["prlimit", "--fsize=%d:%d" % (1 << 20, 1 << 20)]))
    assert lines is not None
    said = "\n".join(lines)
    assert re.search("ftruncate to [0-9]+ bytes: File too large", said), said


def test_descriptors_that_are_too_few_for_anything():
    said = refused("", nofile=200)
    assert ("only 200 open files are allowed, it takes 256; raise the limit of "
        "open files: LimitNOFILE= of a unit, --ulimit nofile= of a container, "
        "ulimit -Hn") in said, said


def test_descriptors_that_are_too_few_for_max_peers():
    with Beacon("max peers 1000", workers=2, nofile=300) as b:
        b.wait_line('"max peers" is 1000, but the limit of open files has room '
            "for 472 only: with 2 workers it takes LimitNOFILE=564 ")
        before = len(b.lines)
        b.write_conf("max peers 472")
        b.ctl("reload")
        assert not any("max peers" in line for line in b.lines[before:])
        b.write_conf("max peers 473")
        b.ctl("reload", text=True)
        b.wait_line('"max peers" is 473, but .* 472 only', after=before)


def test_a_file_that_its_rights_forbid():
    b = Beacon(unprivileged=True)
    with b:
        before = len(b.lines)
        os.chmod(b.conf_path, 0)
        b.ctl("reload", text=True, ok=1)
        b.wait_line("Permission denied; our user must be allowed to read it",
            after=before)
        os.chmod(b.conf_path, 0o644)
