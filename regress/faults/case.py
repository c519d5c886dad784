# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""One case: a call that fails while a scene is played, or at the start."""

import os
import re
import time

import calls
from beacon import wait_for
from client import login
from faults import FaultyBeacon
from scene import COME, STAY, TROUBLE, Lost, cpu, resident

EVER = 1 << 31
BUSY = 0.5      # of the time of a case: a process that turns in a circle
FREE = 0.3      # seconds of CPU that no case is asked about
SILENT = 3.0    # seconds for what has gone to be noticed
START = 10.0    # to be ready, or to end
GROWTH = 4096   # KiB that a process may have grown by in a case
DEATH = re.compile(r"(\S+) \(pid \d+\)(?: died of| exited|: .*: killed)")
ALARM = re.compile(r"security:|Sanitizer|runtime error")
FATAL = "ECONNRESET EPIPE ETIMEDOUT"    # such a connection is no more

# When it fails: the first time, then every so-manieth, that many at most.
ONCE = [(1, 0, EVER), (2, 0, EVER), (5, 0, EVER)]
OFTEN = [(3, 7, EVER), (1, 1, 20)]

# What a failure may cost besides what the table in doc/architecture.md 7 says
# of it.  role, call, errors ("" for all): a part of what is lost; the reason.
EXCUSED = [
    ("worker", "calloc", "", "worker|the session of",
        "no memory for a channel or socket that a reload brings: better a "
        "new worker than one that errs"),
    ("worker", "malloc", "", "worker|the session of", "likewise"),
    ("worker", "send", "ECONNRESET EPIPE", "timed out|end of file",
        "such a connection is no more, a peer's or another worker's"),
    ("parent", "fcntl", "EMFILE", "worker|the session of",
        "no descriptor to give it what a reload brings: likewise"),
    ("auth", "calloc", "", "auth died", "likewise: logins under way"),
    ("auth", "malloc", "", "auth died", "likewise"),
    ("auth", "realloc", "", "auth died", "likewise"),
    ("auth", "reallocarray", "", "auth died", "likewise"),
    ("auth", "reallocarray", "", "auth failed",
        "keys that it cannot read at the start: nobody of them is let in "
        "until it can, which the log says"),
    ("auth", "read", "", "auth failed", "likewise"),
    ("parent", "sigaction", "", "did not end|status -15",
        "libev does not look at it, and the kernel has no reason to refuse"),
    ("parent", "epoll_ctl", "", "did not end",
        "libev's own pipe for signals, at the start: doc/broken.md"),
    ("", "realloc", "", "SIGSYS|SIGSEGV|status -(11|31)",
        "libseccomp 2.5 does not look at what it gets; nobody serves yet"),
]


def excused(case, what):
    return any(role in ("", case.role) and call == case.call and
        case.error in (errors.split() or [case.error]) and
        re.search(pattern, what)
        for role, call, errors, pattern, _ in EXCUSED)


class Case:
    """A row of the table, and what came of it."""

    def __init__(self, role, call, error, when, whom=None):
        self.role, self.call, self.error = role, call, error
        self.when = when
        self.whom = whom        # worker that it happens to; None: any
        self.failed = 0         # calls
        self.lost = []          # what it should not have cost
        self.refused = []       # what did not work meanwhile
        self.died = []
        self.ended = []         # sessions

    def __str__(self):
        first, every, _ = self.when
        return "%s%s %s %s %d%s" % (self.role,
            "" if self.whom is None else "[%s]" % self.whom, self.call,
            self.error, first, ", every %d" % every if every else "")

    def loses(self, what):
        if not excused(self, what):
            self.lost.append(what)

    def arm(self, page, pid=0):
        page.arm(self.role, self.call, calls.number(self.error), *self.when,
            pid)


class Played(Case):
    """In a scene, while all is as it should be."""

    def play(self, scene):
        """Plays it; the scene is of no more use if something is lost."""
        b = scene.beacon
        at = len(b.lines)
        before = State(scene)
        self.happens(scene, before)
        try:
            self.judge(scene, before)
        except (Lost, *TROUBLE) as why:
            self.loses(str(why).split("\n")[0])
        self.died = DEATH.findall("\n".join(b.lines[at:]))
        for name in sorted(set(self.died) & before.names):
            self.loses("%s died" % name)
        for node in self.ended:
            if not self.may_end(before.owner[node]):
                self.loses("the session of %d ended" % node)
        for line in b.lines[at:]:
            if ALARM.search(line):
                self.loses(line)

    def judge(self, scene, before):
        if scene.beacon.proc.poll() is not None:
            raise Lost("the parent is gone")
        scene.settle()
        gone = scene.gone()
        self.ended = [node for node in gone if node in STAY]
        if not gone and before.pids.items() <= scene.pids().items():
            counted = scene.drops() - before.drops
            if scene.missing > counted:
                raise Lost("%d packets are lost, %d counted" % (
                    scene.missing, counted))
        scene.leave(COME)
        scene.leave(self.ended)
        for node in self.ended:
            scene.connect(node)
        wait_for(lambda: {p["node"] for p in scene.beacon.peers()} ==
            set(STAY), SILENT, "the map as it was")
        scene.exchange()        # what waited in a queue is over
        missing = scene.exchange()
        if missing:
            raise Lost("%d packets afterwards" % len(missing))
        before.compare(scene)


class Running(Played):
    """A call fails."""

    def happens(self, scene, before):
        page = scene.beacon.page
        self.arm(page, self.pid(scene, before))
        self.refused = scene.act()
        page.disarm()
        self.failed = page.failed()

    def pid(self, scene, before):
        """Whom it happens to; 0: whoever is of that role."""
        if self.role == "parent":
            return scene.beacon.pid
        return 0 if self.whom is None else before.pids[self.role, self.whom]

    def may_end(self, worker):
        return self.error in FATAL


class State:
    """What must be the same afterwards."""

    def __init__(self, scene):
        self.begin = time.monotonic()
        self.pids = scene.pids()
        self.drops = scene.drops()
        self.owner = {p["node"]: p["worker"] for p in scene.beacon.peers()}
        self.names = {"worker[%d]" % place if role == "worker" else role
            for role, place in self.pids}
        all_pids = [scene.beacon.pid, *self.pids.values()]
        self.used = {pid: (cpu(pid), resident(pid)) for pid in all_pids}

    def compare(self, scene):
        end = time.monotonic() + SILENT
        while (count := scene.descriptors()) != scene.baseline:
            if time.monotonic() > end:
                raise Lost("descriptors: %s, not %s" % (count,
                    scene.baseline))
            time.sleep(0.02)
        passed = time.monotonic() - self.begin
        alive = {scene.beacon.pid, *scene.pids().values()}
        for pid, (seconds, kib) in self.used.items():
            if pid not in alive:
                continue
            used, grown = cpu(pid) - seconds, resident(pid) - kib
            if used > FREE + BUSY * passed:
                raise Lost("%d used %.2f s of %.2f" % (pid, used, passed))
            if grown > GROWTH:
                raise Lost("%d has %d KiB more" % (pid, grown))


class Starting(Case):
    """From the beginning on: it starts, or says why not."""

    def play(self):
        """Starts one, and ends it; returns what it has said."""
        b = FaultyBeacon(workers=2, udp=True)
        self.arm(b.page)
        try:
            b.launch()
            wait_for(lambda: b.proc.poll() is not None or self.serves(b),
                START, "ready, or the end")
            b.page.disarm()
            self.failed = b.page.failed()
            if b.proc.poll() is None:
                self.works(b)
            else:
                self.ended_well(b)
        except TROUBLE as why:
            self.loses(str(why).split("\n")[0])
        finally:
            b.clean_up()
        for line in b.lines:
            if ALARM.search(line):
                self.loses(line)
        return b.lines

    def serves(self, b):
        if "beacond: ready" in b.lines:
            return True
        if self.call != "write":    # by which that line may be lost
            return False
        try:
            return all(c["state"] == "running" for c in b.children())
        except AssertionError:
            return False

    @staticmethod
    def works(b):
        b.pid, ports = b.proc.pid, b.listening("websocket")
        b.note_children()
        if ports:
            b.port = ports[0]
            login(b, 1).close()
        b.stop()

    def ended_well(self, b):
        b.reader.join(5)
        status = b.proc.returncode
        if status <= 0:
            self.loses("status %d" % status)
        elif not re.match(r"\S.*\S", b.lines[-1] if b.lines else ""):
            self.loses("ended without a word")
        wait_for(lambda: not any(self.runs_from(pid, b.directory)
            for pid in filter(str.isdigit, os.listdir("/proc"))), SILENT,
            "the end of its children")

    @staticmethod
    def runs_from(pid, directory):
        try:
            return os.readlink("/proc/%s/exe" % pid).startswith(directory)
        except OSError:
            return False


def rows(role, call, counts):
    """All cases of a call while things run."""
    for whom in ([0, None] if role == "worker" else [None]):
        for error in calls.ERRORS[call].split():
            for when in counts:
                yield Running(role, call, error, when, whom)


def start_rows(role, call, counts):
    for error in calls.ERRORS[call].split():
        for when in counts:
            yield Starting(role, call, error, when)
