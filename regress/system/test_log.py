# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The machine's log, as beacond has it that runs in the background."""

import os
import re
import signal
import socket
import threading
import time

from beacon import (IS_ROOT, START, STOP, Beacon, alive, children_of,
    wait_for)
from client import login

# A /dev of the test's own, with what beacond needs of it.
ENTER = 'mount --bind /dev/null "$0/null" && mount --rbind "$0" /dev && ' \
    'exec "$@"'


class Background(Beacon):
    """What comes to its /dev/log is read by the test, or nobody."""

    def __init__(self, conf="", log=True, **how):
        super().__init__(conf, **how)
        self.dev = os.path.join(self.directory, "dev")
        os.mkdir(self.dev)
        os.chmod(self.dev, 0o755)
        open(os.path.join(self.dev, "null"), "w").close()
        self.log = None
        if log:
            self.open_log()

    def command(self, *args):
        argv = ["unshare", "--mount"]
        if not IS_ROOT:
            argv += ["--user", "--map-current-user", "--keep-caps"]
        argv += ["sh", "-c", ENTER, self.dev]
        if not IS_ROOT:
            argv += ["setpriv", "--ambient-caps=-all", "--inh-caps=-all"]
        return argv + super().command(*(arg for arg in args if arg != "-d"))

    def open_log(self):
        self.close_log()
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(os.path.join(self.dev, "log"))
        os.chmod(os.path.join(self.dev, "log"), 0o666)

    def close_log(self):
        if self.log is not None:
            self.log.close()
            os.unlink(os.path.join(self.dev, "log"))

    def read_log(self, text):
        """The next line that ends so, as it came."""
        self.log.settimeout(20)
        while True:
            self.lines.append(self.log.recv(4096).decode())
            if self.lines[-1].endswith(text):
                return self.lines[-1]

    def start(self, *args):
        self.launch(*args)
        status = self.proc.wait(START)
        assert status == 0, self.lines
        if self.log is not None:
            self.read_log(": beacond: ready")
        wait_for(lambda: all(c["state"] == "running"
            for c in self.children()))
        self.pid = self.pid_of("parent")
        self.port = next((int(line.rpartition(":")[2].split()[0])
            for line in self.lines if "listening on" in line), None)
        self.seen.update([self.pid] + children_of(self.pid))

    def stop(self, bound=STOP):
        self.seen.update(children_of(self.pid))
        if alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
        self.check_no_process(bound)
        assert not os.path.exists(self.socket), "left its control socket"


def test_lines_are_as_of_syslog():
    before = time.time()
    with Background() as b:
        want = r"<30>(\w{3} [ \d]\d \d\d:\d\d:\d\d) beacond\[%d\]: " \
            r"beacond: ready" % b.pid
        match = re.fullmatch(want, b.lines[-1])
        assert match, b.lines
        told = time.mktime(time.strptime("%d %s" % (
            time.localtime(before).tm_year, match.group(1)),
            "%Y %b %d %H:%M:%S"))
        assert before - 2 < told < time.time() + 2, b.lines
        pid = b.kill("worker")
        line = b.read_log("(pid %d) died of SIGKILL" % pid)
        assert line.startswith("<28>"), line


def test_syslog_that_was_restarted_gets_the_next_line():
    with Background() as b:
        b.open_log()
        b.ctl("reload", text=True)
        b.read_log("configuration read again")
        b.close_log()
        b.log = None
        b.ctl("reload", text=True)
        assert b.metric("log_muted") >= 1
        b.open_log()
        b.ctl("reload", text=True)
        b.read_log("configuration read again")


def test_without_syslog_it_runs_and_counts():
    with Background(log=False) as b:
        assert b.metric("log_muted") >= 3


def test_syslog_that_nobody_reads_stops_nothing():
    with Background() as b:
        start = time.monotonic()
        for _ in range(50):
            b.ctl("reload", text=True)
        login(b, 1).close()
        muted = b.metric("log_muted")
        assert muted > 0
        # It has waited a little, and then no more.
        assert time.monotonic() - start < 10
        b.stop(5)


def test_syslog_that_is_read_loses_nothing():
    with Background() as b:
        bad = 60
        b.write_conf("nonsense\n" * bad)
        b.lines = []
        def read():
            for _ in range(bad):
                b.read_log("")
        reader = threading.Thread(target=read)
        reader.start()
        b.ctl("reload", text=True, ok=1)
        reader.join(20)
        assert not reader.is_alive()
        assert all("unknown" in line for line in b.lines), b.lines[:3]
        assert b.metric("log_muted") == 0
