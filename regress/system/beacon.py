# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A real beacond in a directory of its own."""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import keys

BUILD = os.environ.get("BEACOND_BUILD", os.path.abspath("build"))
PROGRAMS = ["beacond", "beacond-worker", "beacond-auth", "beacond-metrics",
    "beaconctl"]
IS_ROOT = os.geteuid() == 0
USER = "nobody"

# Long enough for a busy machine; nothing waits that long when all is well.
START = 20
STOP = 20
BOUND = 20.0

SANITIZER = re.compile(r"Sanitizer|runtime error:")


def wait_for(predicate, bound=BOUND, what=None):
    """Waits until predicate() is true; returns what it returned."""
    end = time.monotonic() + bound
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" %
                (bound, what or getattr(predicate, "__name__", "")))
        time.sleep(0.01)


# @limit(seconds) gives a test more (or less) time than the usual; @alone is for
# one that measures, or that needs all of the machine.
limit = pytest.mark.timeout
alone = pytest.mark.alone


def alive(pid):
    """A zombie is dead: it only waits for somebody to read its status."""
    return proc_stat(pid) not in (None, "Z", "X")


def proc_stat(pid, field=2):
    """Field 2 of /proc/PID/stat is the state, 3 the parent."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[field - 2]
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_of(pid):
    return [p for p in map(int, filter(str.isdigit, os.listdir("/proc")))
        if proc_stat(p, 3) == str(pid)]


def memory(pid):
    """KiB that only this process has."""
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f
            if line.startswith("RssAnon"))


class Beacon:
    """with Beacon("max peers 1", nodes=range(1, 9)) as b: ...

    Leaving the block ends it with SIGTERM and checks that it went cleanly.
    """

    def __init__(self, conf="", nodes=range(1, 33), workers=2, udp=False,
            listen=True, unprivileged=False, security=None, nofile=0):
        self.directory = tempfile.mkdtemp(prefix="beacond-")
        self.conf_path = os.path.join(self.directory, "beacond.conf")
        self.keys_path = os.path.join(self.directory, "keys")
        self.socket = os.path.join(self.directory, "control.sock")
        self.programs = self.install(unprivileged)
        self.unprivileged = unprivileged or not IS_ROOT
        self.security = security    # a pattern; None: no such line
        self.nofile = nofile        # limit of descriptors; 0: as it is
        self.proc = None
        self.lines = []
        self.eof = False
        self.news = threading.Condition()
        self.seen = set()
        self.key_file = nodes is not None       # else without one
        self.write_keys("".join(map(keys.line, nodes or [])))
        self.write_conf(conf, workers, udp, listen)
        if IS_ROOT:
            user = pwd.getpwnam(USER)
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            os.chmod(self.directory, 0o755)

    def install(self, unprivileged):
        """Where the programs are.

        Another user may not be able to reach the build directory.
        """
        if not (unprivileged and IS_ROOT):
            return BUILD
        for name in PROGRAMS:
            shutil.copy(os.path.join(BUILD, name), self.directory)
        return self.directory

    def write_keys(self, text):
        write(self.keys_path, text)

    def write_conf(self, conf, workers=2, udp=False, listen=True):
        head = ['control socket "%s"' % self.socket,
            "workers %d" % workers]
        if self.key_file:
            head.append('keys file "%s"' % self.keys_path)
        if listen:
            head.append("listen on 127.0.0.1 port 0")
        if udp:
            head.append("listen udp on 127.0.0.1 port 0")
        if IS_ROOT and not self.unprivileged:
            head.append('user "%s"' % USER)
        write(self.conf_path, "\n".join(head) + "\n" + conf + "\n")

    def environment(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        # The whole suite may be run under settings of malloc.
        env.update((name, value) for name, value in os.environ.items()
            if name.startswith(("MALLOC_", "GLIBC_TUNABLES")))
        # The leak check wants ptrace, which every process refuses; freed
        # memory is not to look like a leak.
        env["ASAN_OPTIONS"] = ("detect_leaks=0:abort_on_error=1:"
            "quarantine_size_mb=8")
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        return env

    def command(self, *args):
        argv = [os.path.join(self.programs, "beacond")] + list(args)
        if IS_ROOT and self.unprivileged:
            user = pwd.getpwnam(USER)
            argv[:0] = ["setpriv", "--reuid", str(user.pw_uid), "--regid",
                str(user.pw_gid), "--clear-groups"]
        if self.nofile:
            argv[:0] = ["prlimit", "--nofile=%d" % self.nofile]
        return argv

    def launch(self, *args):
        """Starts it without waiting for anything."""
        if self.proc is not None:   # what the last run said is not of this one
            self.reader.join(BOUND)
        self.lines = []
        self.eof = False
        self.proc = subprocess.Popen(
            self.command("-d", "-f", self.conf_path, *args),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=self.environment())
        self.reader = threading.Thread(target=self.read, daemon=True,
            args=(self.proc, self.lines))
        self.reader.start()

    def start(self, *args):
        self.launch(*args)
        self.wait_line(r"^beacond: ready$", START)
        self.ports = self.listening("websocket")
        self.udp_ports = self.listening("udp")
        self.port = self.ports[0] if self.ports else None
        self.udp_port = self.udp_ports[0] if self.udp_ports else None
        self.pid = self.proc.pid
        self.note_children()

    def take_over(self, *args):
        """Another parent takes over from this one, which ends."""
        self.note_children()
        old, reader = self.proc, self.reader
        self.proc = None
        try:
            self.launch("-u", *args)
            self.wait_line(r"^beacond: ready$", START)
        except BaseException:
            old.kill()
            raise
        assert old.wait(BOUND) == 0
        reader.join(BOUND)
        assert self.listening("websocket") == self.ports
        assert self.listening("udp") == self.udp_ports
        self.pid = self.proc.pid
        self.note_children()

    def succeeded_by(self, proc):
        """The one that was started has ended, and proc has taken over."""
        self.proc = proc
        self.lines = []
        self.eof = True
        self.pid = proc.pid
        wait_for(lambda: os.path.exists(self.socket) and all(
            c["state"] == "running" for c in self.children()), START)
        self.note_children()

    def note_children(self):
        """Remembers every process there ever was, for the end."""
        self.seen.update(children_of(self.proc.pid))

    def listening(self, kind):
        found = (re.match(r"beacond: listening on \S+:(\d+) \(%s\)$" % kind,
            line) for line in self.lines)
        return [int(m.group(1)) for m in found if m]

    def read(self, proc, lines):
        for raw in proc.stderr:
            with self.news:
                lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.eof |= self.proc is proc
            self.news.notify_all()

    def wait_line(self, pattern, bound=BOUND, after=0):
        """Waits for a line that matches; returns it."""
        def found():
            return next((line for line in self.lines[after:]
                if re.search(pattern, line)), None)
        with self.news:
            self.news.wait_for(lambda: found() or self.eof, bound)
            line = found()
        assert line is not None, "no line %r in:\n%s" % (pattern,
            "\n".join(self.lines))
        return line

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
                self.check_log()
            else:
                self.show_log()
        finally:
            self.clean_up()

    def stop(self, bound=STOP):
        """SIGTERM; it must end with 0 and leave nothing."""
        self.note_children()
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        self.ends(bound)

    def ends(self, bound=STOP):
        """As stop(), if it was told to end already.

        A second signal would kill the children, whatever they are at.
        """
        try:
            status = self.proc.wait(bound)
        except subprocess.TimeoutExpired:
            self.show_log()
            raise AssertionError("did not end within %g s" % bound)
        if status != 0:
            self.show_log()
        assert status == 0, "ended with status %d" % status
        self.check_no_process()
        assert not os.path.exists(self.socket), "left its control socket"

    def check_no_process(self, bound=2.0):
        wait_for(lambda: not any(map(alive, self.seen)), bound,
            "the end of every process")

    def check_log(self):
        self.reader.join(BOUND)
        for line in self.lines:
            bad = SANITIZER.search(line)
            if "security:" in line and not (self.security and
                    re.search(self.security, line)):
                bad = True
            if bad:
                self.show_log()
                raise AssertionError("log: " + line)
        if self.security:
            assert any("security:" in line for line in self.lines), \
                "no security event was logged"

    def show_log(self):
        print("--- log of beacond")
        print("\n".join(self.lines[-100:]))
        print("---", flush=True)

    def clean_up(self):
        if self.proc is not None:
            self.note_children()
            if self.proc.poll() is None:
                self.proc.kill()
            self.proc.wait()
            for pid in self.seen:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # What the operator sees.

    def ctl(self, *args, ok=0, text=False):
        """Runs beaconctl; returns its answer, from JSON unless text."""
        argv = [os.path.join(self.programs, "beaconctl"), "-s", self.socket]
        argv += [] if text else ["-j"]
        run = subprocess.run(argv + [str(a) for a in args], timeout=15,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment())
        out = run.stdout.decode()
        assert run.returncode == ok, "beaconctl %s: status %d: %s%s" % (
            args, run.returncode, out, run.stderr.decode())
        if text or not out:
            return out
        return json.loads(out)

    def metrics(self):
        """Every counter, by the name that Prometheus has for it."""
        return {m["name"] + ("{%s}" % ",".join(map('%s="%s"'.__mod__,
            m["labels"].items())) if m["labels"] else ""): m["value"]
            for m in self.ctl("show", "metrics")}

    def metric(self, name, **labels):
        """Value of a counter by a part of its name and its labels."""
        label = ",".join('%s="%s"' % kv for kv in labels.items())
        found = [v for k, v in self.metrics().items()
            if name in k and label in k]
        assert len(found) == 1, "%d counters %s %s" % (len(found), name,
            label)
        return found[0]

    def wait_metric(self, value, name, bound=BOUND, **labels):
        wait_for(lambda: self.metric(name, **labels) >= value, bound,
            "%s %s to be %d" % (name, labels, value))
        got = self.metric(name, **labels)
        assert got == value, "%s %s is %d, not %d" % (name, labels, got,
            value)

    def peers(self):
        """Who is connected, and where; not what it does."""
        return [{key: row[key] for key in ("node", "worker", "slot",
            "generation", "since")} for row in self.ctl("show", "peers")]

    def peer(self, node):
        """The session of a node, or None."""
        return next((p for p in self.peers() if p["node"] == node), None)

    def worker_of(self, node):
        return self.ctl("show", "peer", node)["worker"]

    def wait_peers(self, count, bound=BOUND):
        wait_for(lambda: len(self.peers()) == count, bound,
            "%d peers" % count)

    def children(self):
        return self.ctl("show", "summary")["children"]

    def pid_of(self, role, worker=0):
        """Pid of "auth", or of one worker; 0 while it is down."""
        self.note_children()
        return next((c["pid"] for c in self.children()
            if c["role"] == role and c.get("worker", 0) == worker), 0)

    def kill(self, role, worker=0, sig=signal.SIGKILL):
        """Kills a child; returns its pid."""
        pid = self.pid_of(role, worker)
        assert pid > 0, "no %s is running" % role
        os.kill(pid, sig)
        return pid

    def wait_new(self, role, old, worker=0, bound=BOUND):
        """Waits until another process runs in place of pid old."""
        def running():
            return any(c["role"] == role and c.get("worker", 0) == worker
                and c["pid"] not in (0, old) and c["state"] == "running"
                for c in self.children())
        wait_for(running, bound, "a new " + role)
        self.note_children()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o644)
