# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A process dies at each step of a move.

Workers stop themselves at a message that the test names (regress/hostile/
steps.c), somebody is killed, and all go on.  In make test one at each step; in
make check-steps each at each.
"""

import contextlib
import os
import shutil
import signal
import threading
import time

import pytest

import beacon
from beacon import BUILD, Beacon, limit, wait_for
from client import BINARY, frame, login, relay
from test_move_failures import check, descriptors, spread, workers

# A message, before it is sent or after, and whether the map has been written:
# 0: not yet, 1: yes, None: who knows.
STEPS = {
    "before STATE": ("0x780 0", 0), "after STATE": ("0x780 1", 0),
    "after BYTES": ("0x781 1", 0), "before MARK": ("0x701 0", 0),
    "before MARKED": ("0x702 0", 0), "before END": ("0x782 0", 0),
    "after END": ("0x782 1", None), "before READY": ("WP_MOVE_READY 0", None),
    "after READY": ("WP_MOVE_READY 1", None), "before FENCE": ("0x703 0", 1),
    "before LAST": ("0x784 0", 1), "after LAST": ("0x784 1", 1),
    "before DONE": ("WP_MOVE_DONE 0", 1), "after DONE": ("WP_MOVE_DONE 1", 1),
}
VICTIMS = ["old", "new", "third", "auth", "parent"]
ALL = os.environ.get("STEPS") == "all"
CASES = [(step, victim) for i, step in enumerate(STEPS)
    for j, victim in enumerate(VICTIMS) if ALL or i % 5 == j]


def is_stopped(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Stepped(Beacon):
    """A beacon whose workers stop at a step, each of them once."""

    def __init__(self, step, **how):
        self.step = step
        super().__init__(**how)

    def environment(self):
        return {**super().environment(), "MALLOC_STOP_AT": self.step}

    def install(self, unprivileged):
        for name in beacon.PROGRAMS:
            source = os.path.join(BUILD, name)
            if name == "beacond-worker":
                source = os.path.join(BUILD, "hostile", "steps-worker")
            shutil.copy(source, os.path.join(self.directory, name))
        return self.directory


class Onward:
    """Whoever has stopped goes on, until all is over."""

    def __init__(self, b):
        self.b = b
        self.going = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.going:
            for pid in list(self.b.seen):
                if is_stopped(pid):
                    os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)

    def end(self):
        self.going = False
        self.thread.join(20)


def message(step):
    """Of those of the parent the number is to be looked up."""
    name, _, after = step.partition(" ")
    if not name.startswith("0x"):
        from puppet import P        # pylint: disable=import-outside-toplevel
        name = hex(getattr(P, name))
    return name + " " + after


def drain(b, worker):
    try:
        b.ctl("drain", str(worker), text=True)
    except AssertionError:
        pass        # it may fail, as somebody dies


def lost_are(b, peers, may, must):
    """Whom the map does not have any more."""
    wait_for(lambda: [c["state"] for c in b.children()
        if c["role"] == "worker"] == ["running"] * 3, 10, "three workers")
    there = {p["node"] for p in b.peers()}
    lost = set(peers) - there
    assert must <= lost <= may, (lost, may, must)
    return lost


class Held:
    """A worker is drained, and somebody stands still at the step."""

    def __init__(self, b):
        self.b = b
        self.peers = spread(b)
        self.at = {node: b.worker_of(node) for node in self.peers}
        self.home = self.at[1]
        self.own = self.of(self.home)
        self.before = workers(b)
        old = next(p for p, w in self.before.items() if w == self.home)
        thirds = [p for p in self.before if p != old]
        self.open = {p: descriptors(p) - len(self.of(w))
            for p, w in self.before.items()}
        half = frame(BINARY, relay(1, 1, b"begun"))
        self.peers[1].send(half[:9])     # it goes along
        self.rest = half[9:]
        self.asks = threading.Thread(target=drain, args=(b, self.home))
        self.asks.start()
        self.pid = wait_for(self.stopped, what="a worker that stands still")
        new = next(p for p in workers(b) if p not in self.before)
        third = self.pid if self.pid in thirds else thirds[0]
        self.other = next(p for p in thirds if p != third)
        self.pids = {"old": old, "new": new, "third": third,
            "auth": b.pid_of("auth"), "parent": b.proc.pid}

    def of(self, worker):
        return {node for node, at in self.at.items() if at == worker}

    def stopped(self):
        self.b.note_children()
        return next((p for p in self.b.seen if is_stopped(p)), None)

    def kill(self, victim):
        # The old owner may have ended by itself at the last of the steps.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[victim], signal.SIGKILL)

    def over(self):
        self.asks.join(20)
        assert not self.asks.is_alive()


def cases(*victims):
    return pytest.mark.parametrize("step, victim",
        [c for c in CASES if c[1] in victims])


@cases("old", "new", "third", "auth")
@limit(60)
def test_a_child_dies(step, victim):
    what, committed = STEPS[step]
    with Stepped(message(what), workers=3) as b:
        h = Held(b)
        # Two who have no part in it.
        quiet = sorted(h.of(h.before[h.other]))
        one, two = h.peers[quiet[0]], h.peers[quiet[-1]]
        for i in range(20):
            one.send_to(quiet[-1], b"%d" % i)
        h.kill(victim)
        onward = Onward(b)
        try:
            for i in range(20):
                two.expect_from(quiet[0], b"%d" % i)
            h.over()
            may = {"old": h.own, "new": h.own, "auth": set(),
                "third": h.of(h.before.get(h.pids["third"]))}[victim]
            must = may if (victim, committed) in (("old", 0), ("new", 1),
                ("third", 0), ("third", 1), ("third", None)) else set()
            lost = lost_are(b, h.peers, may, must)
            if 1 not in lost:
                h.peers[1].send(h.rest)
                h.peers[1].expect_from(1, b"begun")
            check(b, h.peers, lost)
            wait_for(lambda: descriptors(h.other) == h.open[h.other] + sum(
                p["worker"] == h.before[h.other] for p in b.peers()),
                what="as many descriptors as before, but for sessions")
        finally:
            onward.end()


@cases("parent")
def test_the_parent_dies(step, victim):
    """All end with it, also whoever stands still."""
    b = Stepped(message(STEPS[step][0]), workers=3)
    try:
        b.start()
        h = Held(b)
        h.kill(victim)
        b.proc.wait()
        b.check_no_process()
        h.over()
    finally:
        b.clean_up()
