# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Whoever starts it may leave behind what he likes: it is set, not assumed."""

import os
import signal

import pytest

from beacon import IS_ROOT, Beacon, children_of, write
from client import login

SIGNALS = "CHLD,TERM,INT,HUP,PIPE,ALRM,USR1,USR2"
BLOCKED = "--block-signal=" + SIGNALS
IGNORED = "--ignore-signal=" + SIGNALS


class Heir(Beacon):
    """Started by way of `before`, a command that executes its arguments."""

    def __init__(self, before, **how):
        self.before = before
        super().__init__(**how)

    def command(self, *args):
        return self.before + super().command(*args)

    def processes(self):
        return [self.pid] + children_of(self.pid)


def shell(script):
    return ["sh", "-c", script + '; exec "$@"', "sh"]


def status(pid, field):
    with open("/proc/%d/status" % pid) as f:
        return next(line.split()[1] for line in f
            if line.startswith(field + ":"))


def directory(pid, which="cwd"):
    return os.readlink("/proc/%d/%s" % (pid, which))


@pytest.mark.parametrize("option", [BLOCKED, IGNORED])
def test_signals_that_were_blocked_or_ignored_arrive(option):
    with Heir(["env", option]) as b:
        for pid in b.processes():
            assert int(status(pid, "SigBlk"), 16) == 0, pid
        # Signals 32 and 33 are libc's own: it lets nobody change them, and
        # leaves them as whoever started the test had them.
        ignored = int(status(b.pid, "SigIgn"), 16) & ~(3 << 31)
        assert ignored == 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1, \
            hex(ignored)
        # Of SIGCHLD, SIGHUP; SIGTERM is what ends it.
        b.wait_new("worker", b.kill("worker"))
        b.wait_new("auth", b.kill("auth"))
        os.kill(b.pid, signal.SIGHUP)
        b.wait_line("configuration read again")


@pytest.mark.parametrize("umask", ["0", "0777"])
def test_umask(umask):
    # A /run of its own: nobody has made the children's root there before.
    before = shell("umask " + umask)
    if IS_ROOT:
        before = ["unshare", "--mount"] + shell(
            "mount -t tmpfs -o mode=755 none /run; umask " + umask)
    with Heir(before) as b, login(b, 1):
        for pid in b.processes():
            assert status(pid, "Umask") == "0077"
        assert os.stat(b.socket).st_mode & 0o777 == 0o660


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_standard_descriptors_that_were_closed(closed):
    with Heir(shell("exec " + closed)) as b, login(b, 1):
        for pid in b.processes():
            for fd in (0, 1):
                assert os.readlink("/proc/%d/fd/%d" % (pid, fd)) == \
                    "/dev/null"
        b.ctl("reload", text=True)


def test_descriptors_that_were_left_open_are_closed():
    with Heir(shell("exec 5</etc/passwd 9</etc/passwd")) as b:
        for pid in b.processes():
            for fd in os.listdir("/proc/%d/fd" % pid):
                assert "passwd" not in os.readlink(
                    "/proc/%d/fd/%s" % (pid, fd))


def test_lowest_priority_is_not_for_the_network():
    with Heir(["nice", "-n", "19"]) as b:
        for pid in b.processes():
            assert os.getpriority(os.PRIO_PROCESS, pid) == (
                0 if IS_ROOT else 19)


def test_directory_is_the_root():
    with Heir([]) as b:
        for pid in b.processes():
            assert directory(pid) == directory(pid, "root"), pid


def test_directory_stays_if_the_configuration_speaks_of_it():
    b = Heir([])
    b.before = shell("cd " + b.directory)
    with open(b.conf_path) as f:
        write(b.conf_path, f.read().replace(b.directory + "/", ""))
    b.conf_path = "beacond.conf"
    with b:
        assert directory(b.pid) == b.directory
        for pid in children_of(b.pid):
            assert directory(pid) == directory(pid, "root"), pid
        b.write_keys("")
        b.ctl("reload", text=True, ok=1)


def test_a_router_socket_with_a_relative_path_is_removed():
    b = Heir([])
    b.before = shell("cd " + b.directory)
    b.write_conf('router socket "router.sock"')
    path = os.path.join(b.directory, "router.sock")
    with b:
        assert os.path.exists(path)
        b.stop()
        assert not os.path.exists(path)
