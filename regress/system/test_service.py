# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""beacond under a service manager, as etc/beacond.service has it."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from beacon import IS_ROOT, Beacon, write
from client import login, relay
from test_sandbox import Tuned
from udp import Udp

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "etc/beacond.service")
PR_SET_MDWE = 65    # memory that was writable never becomes executable
# What only a parent that started as root needs, and no unit grants.
FOR_ROOT = {"capset", "chroot", "setgroups", "setresgid", "setresuid"}

# No network, and nothing to write to but the daemon's own directory: what of
# the unit's settings can be had by hand.
# In a bare chroot "/" is no mount that could be made read-only.
ROOT_IS_MOUNT = any(line.split()[4] == "/"
    for line in open("/proc/self/mountinfo"))
RESTRICT = """
mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 1
shift
LISTEN_PID=$$ exec "$@"
"""


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.settimeout(20)
        if not isinstance(address, bytes):
            os.chmod(address, 0o777)

    def heard(self):
        return self.sock.recv(100)


class Activated(Beacon):
    """Started as by systemd, with sockets that are already open.

    online: its network is ours; else it has none.
    """

    def __init__(self, sockets, online=False, **how):
        self.sockets = sockets
        self.online = online
        super().__init__(**how)

    def environment(self):
        return {**super().environment(), "LISTEN_FDS": str(len(self.sockets))}

    def command(self, *args):
        argv = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
        if self.online:
            return argv + super().command(*args)
        if IS_ROOT and not ROOT_IS_MOUNT:
            argv = ["unshare", "-n"] + argv
        elif IS_ROOT:
            argv = ["unshare", "-n", "-m", "sh", "-c", RESTRICT, "sh",
                self.directory]
        return argv + super().command(*args)

    def place(self):
        """Puts the sockets at 3, 4, ...; no memory may become code."""
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0
        fds = [os.dup(s.fileno()) for s in self.sockets]
        spare = [os.dup2(fd, 500 + i) for i, fd in enumerate(fds)]
        for i, fd in enumerate(spare):
            os.dup2(fd, 3 + i)

    def launch(self, *args):
        self.lines = []
        self.eof = False
        self.proc = subprocess.Popen(
            self.command("-d", "-f", self.conf_path, *args),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=self.environment(),
            close_fds=False, preexec_fn=self.place)
        self.reader = threading.Thread(target=self.read, daemon=True,
            args=(self.proc, self.lines))
        self.reader.start()


def bound(kind):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return s


def settings():
    """Directives of the unit, in order."""
    with open(UNIT) as f:
        return [line.rstrip("\n").split("=", 1) for line in f
            if "=" in line and not line.startswith("#")]


def group(name):
    """The calls of one of systemd's sets, and of the sets in it."""
    run = subprocess.run(["systemd-analyze", "syscall-filter", name],
        stdout=subprocess.PIPE, check=True)
    calls = set()
    for word in re.findall(r"^    ([@\w-]+)", run.stdout.decode(), re.M):
        calls |= group(word) if word.startswith("@") else {word}
    return calls


def check_reload(manager, end):
    """It begins, at a time of systemd's clock, and ends."""
    begun = manager.heard()
    told = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", begun)
    assert told and abs(int(told[1]) / 1e6 - time.monotonic()) < 60, begun
    assert manager.heard() == end


def test_a_reload_without_a_key_file_is_over_at_once():
    name = "beacond-reload-%d" % os.getpid()
    manager = Manager(b"\0" + name.encode())
    b = Tuned({"NOTIFY_SOCKET": "@" + name})
    try:
        with open(b.conf_path) as f:
            text = re.sub("keys file.*", 'keys snapshot "%s/none"' %
                b.directory, f.read())
        write(b.conf_path, text)
        b.start()
        assert manager.heard().startswith(b"READY=1")
        b.proc.send_signal(signal.SIGHUP)
        check_reload(manager, b"READY=1\nSTATUS=serving")
        b.stop()
    finally:
        b.clean_up()


def test_a_reload_is_over_though_auth_and_key_file_are_gone():
    name = "beacond-lost-%d" % os.getpid()
    manager = Manager(b"\0" + name.encode())
    with Tuned({"NOTIFY_SOCKET": "@" + name}) as b:
        assert manager.heard() == b"READY=1\nSTATUS=serving"
        old = b.pid_of("auth")
        os.kill(old, signal.SIGSTOP)
        b.proc.send_signal(signal.SIGHUP)
        assert manager.heard().startswith(b"RELOADING=1")
        b.wait_line("configuration read again")
        # Auth has the old file open, and will not say a word about it.
        os.rename(b.keys_path, b.keys_path + ".gone")
        b.kill("auth")
        b.wait_line("no key file: nobody of it can log in until there is one")
        assert manager.heard() == \
            b"READY=1\nSTATUS=serving; a reload was refused, see the log"
        os.rename(b.keys_path + ".gone", b.keys_path)
        b.ctl("reload")
        check_reload(manager, b"READY=1\nSTATUS=serving")
        login(b, 1).close()


def check_notify(address, text):
    manager = Manager(address)
    with Tuned({"NOTIFY_SOCKET": text}) as b:
        assert manager.heard() == b"READY=1\nSTATUS=serving"
        b.proc.send_signal(signal.SIGHUP)
        check_reload(manager, b"READY=1\nSTATUS=serving")
        b.write_conf("nonsense")
        b.proc.send_signal(signal.SIGHUP)
        check_reload(manager, b"READY=1\nSTATUS=serving; a reload was "
            b"refused, see the log")
        b.stop()
        assert manager.heard() == b"STOPPING=1"


def test_service_manager_is_told():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "notify")
        check_notify(path, path)


def test_service_manager_on_an_abstract_socket():
    name = "beacond-test-%d" % os.getpid()
    check_notify(b"\0" + name.encode(), "@" + name)


def test_watchdog_is_kept_quiet():
    name = "beacond-watchdog-%d" % os.getpid()
    manager = Manager(b"\0" + name.encode())
    with Tuned({"NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "200000"}) as b:
        heard = [manager.heard() for _ in range(5)]
        assert heard.count(b"WATCHDOG=1") >= 4, heard
        assert set(heard) <= {b"WATCHDOG=1", b"READY=1\nSTATUS=serving"}, heard


def test_sockets_of_the_service_manager():
    tcp = bound(socket.SOCK_STREAM)
    tcp.bind(("127.0.0.1", 0))
    tcp.listen(100)
    one, two = bound(socket.SOCK_DGRAM), bound(socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    two.bind(one.getsockname())
    conf = "listen on 127.0.0.1 port %d\nlisten udp on 127.0.0.1 port %d" % (
        tcp.getsockname()[1], one.getsockname()[1])
    with Activated([tcp, one, two], conf=conf, listen=False,
            unprivileged=True) as b:
        client = login(b, 1)
        with Udp(b.udp_port, 100) as far:
            far.join(b)
            far.send(relay(100, 1, b"from afar"))
            client.expect_from(100, b"from afar")
        # They survive who serves them.
        for worker in 0, 1:
            b.wait_new("worker", b.kill("worker", worker), worker)
        login(b, 2).close()


def udp_group(count, host="127.0.0.1"):
    """So many sockets that share a port; the line for that port."""
    sockets = [bound(socket.SOCK_DGRAM) for _ in range(count)]
    for n, s in enumerate(sockets):
        s.bind(sockets[0].getsockname() if n else (host, 0))
    return sockets, "listen udp on %s port %d" % sockets[0].getsockname()


def all_are_answered(b, count=64):
    """Wherever the kernel has their datagrams go."""
    for node in range(1000, 1000 + count):
        with Udp(b.udp_port, node) as u:
            u.discover()


def test_more_udp_sockets_than_workers():
    """Each of them is read by somebody."""
    for count, workers in ((5, 2), (3, 1), (64, 3)):
        sockets, conf = udp_group(count)
        with Activated(sockets, conf=conf, workers=workers, listen=False,
                unprivileged=True) as b:
            all_are_answered(b, 4 * count)
            assert not [line for line in b.lines if "service manager" in line]
            # And by whoever comes after.
            for worker in range(workers):
                b.wait_new("worker", b.kill("worker", worker), worker)
            all_are_answered(b, 4 * count)


def test_more_udp_sockets_than_are_of_use():
    sockets, conf = udp_group(65)
    refused(Activated(sockets, conf=conf, listen=False, unprivileged=True),
        "more than 64 sockets of the service manager have this address and "
        "port")


def refused(b, why):
    b.launch()
    try:
        assert b.proc.wait(20) == 1
        b.reader.join(20)
        assert any(line.endswith(why) for line in b.lines), b.lines
    finally:
        b.clean_up()


def test_fewer_udp_sockets_than_workers():
    """The rest cannot be had in another network, nor from another user."""
    sockets, conf = udp_group(2)
    for online, error in ((False, "Network is unreachable"),
            (True, "Address already in use")):
        if online and not IS_ROOT:
            continue    # these are ours
        refused(Activated(sockets, online, conf=conf, workers=3, listen=False,
            unprivileged=True), "2 UDP sockets of the service manager for 3 "
            "workers, and no others can be had (%s): one ListenDatagram= for "
            "each worker" % error)


def test_fewer_udp_sockets_than_workers_that_open_their_own():
    sockets, conf = udp_group(2)
    with Activated(sockets, True, conf=conf, workers=4, listen=False) as b:
        all_are_answered(b)


def test_udp_port_that_somebody_of_our_user_has():
    """It would be shared, and half of the datagrams be lost."""
    (other,), conf = udp_group(1)
    refused(Beacon(conf, listen=False), "cannot listen on 127.0.0.1:%d: bind: "
        "Address already in use; stop the program that uses it or take "
        "another port" % other.getsockname()[1])


def test_unit_is_rated_safe():
    run = subprocess.run(["systemd-analyze", "security", "--offline=true",
        "--no-pager", UNIT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = run.stdout.decode()
    rated = re.search(r"exposure level for beacond.service: ([\d.]+)", text)
    assert rated and float(rated.group(1)) <= 0.5, text


def test_unit_allows_the_calls_that_the_programs_need():
    allowed = set()
    for name, value in settings():
        if name != "SystemCallFilter":
            continue
        calls = set()
        for word in value.lstrip("~").split():
            calls |= group(word) if word.startswith("@") else {word}
        allowed = allowed - calls if value[0] == "~" else allowed | calls
    with open(os.path.join(ROOT, "parent/sandbox.c")) as f:
        needed = set(re.findall(r"SANDBOX_ALLOW\d?\((\w+)", f.read()))
    assert len(needed) > 50
    missing = needed - allowed - FOR_ROOT
    assert not missing, missing


def test_what_is_shipped_for_a_registry_is_what_the_manual_says():
    with open(os.path.join(ROOT, "etc/beacond-registry.conf.example")) as f:
        lines = [line for line in f if line.strip() and line[0] != "#"]
    with open(os.path.join(ROOT, "etc/beacond.conf.5")) as f:
        assert "indent\n%s.Ed\n" % "".join(lines) in f.read()


def test_the_apparmor_profile_is_one_and_has_what_keys_need():
    path = os.path.join(ROOT, "etc/apparmor/usr.local.sbin.beacond")
    subprocess.run(["apparmor_parser", "-QKT", path], check=True,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    with open(path) as f:
        rules = f.read().split(",\n")
    with open(os.path.join(ROOT, "README.md")) as f:
        text = f.read()
    for rule, place in (("{cache,blocks}{,.new} rw", 'keys cache "%s/cache"'),
            ("{cache,blocks}{,.new} rw", 'blocks file "%s/blocks"'),
            ("snapshot.json r", 'keys snapshot "%s/snapshot.json"')):
        at = next(r.split()[-2] for r in rules if r.endswith(rule))
        assert place % os.path.dirname(at) in text, at


class Journal(Beacon):
    """Its standard error is what JOURNAL_STREAM says, or something else."""

    def __init__(self, same):
        self.same = same
        super().__init__()

    def command(self, *args):
        stream = "$(stat -L -c %d:%i /dev/stderr)" if self.same else "1:2"
        return ["sh", "-c", 'JOURNAL_STREAM=%s exec "$@"' % stream, "sh",
            *super().command(*args)]

    def start(self, *args):
        self.launch(*args)
        self.wait_line("ready$")
        self.pid = self.proc.pid
        self.note_children()


def test_the_journal_gets_priorities():
    with Journal(True) as b:
        assert "<6>beacond: ready" in b.lines, b.lines
        b.kill("worker")
        b.wait_line(r"^<4>beacond: worker\[0\] \(pid \d+\) died of SIGKILL")
        b.lines.clear()


def test_priorities_are_not_for_people():
    with Journal(False) as b:
        assert "beacond: ready" in b.lines, b.lines


def test_the_unit_starts_again_however_often_it_has_failed():
    assert ["StartLimitIntervalSec", "0"] in list(settings())
    assert ["ExecReload", "/usr/local/bin/beaconctl reload"] in \
        list(settings())
    assert any("/usr/local/bin/beaconctl" in value.split()
        for name, value in settings() if name == "ExecPaths")
