# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Who dies, hangs or is told something else while sessions move."""

import contextlib
import os
import signal
import threading
import time

import pytest

from beacon import Beacon, alive, limit, wait_for
from client import login

NODES = range(1, 10)


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def workers(b):
    return {c["pid"]: c["worker"] for c in b.children()
        if c["role"] == "worker" and c["pid"]}


class Held:
    """A worker that is drained, and does not get on: another one, which is to
    say that it has read all packets, stands still."""

    def __init__(self, b, peers):
        self.b, self.peers = b, peers
        self.at = {node: b.worker_of(node) for node in peers}
        self.home = self.at[1]
        before = workers(b)
        self.old = next(p for p, w in before.items() if w == self.home)
        self.still = next(p for p, w in before.items() if w != self.home)
        self.third = next(p for p in before
            if p not in (self.old, self.still))
        os.kill(self.still, signal.SIGSTOP)
        self.error = None
        self.drain = threading.Thread(target=self.ask)
        self.drain.start()
        b.wait_line("worker.%d. .pid %d. leaves" % (self.home, self.old))
        b.note_children()
        self.new = next(p for p in workers(b) if p not in before)
        time.sleep(0.1)         # its sessions stand still by now

    def ask(self):
        try:
            self.b.ctl("drain", str(self.home), text=True)
        except AssertionError as e:
            self.error = e

    def go_on(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.still, signal.SIGCONT)

    def own(self):
        """The nodes whose sessions are to move."""
        return {node for node, at in self.at.items() if at == self.home}

    def of(self, pid_worker):
        return {node for node, at in self.at.items() if at == pid_worker}

    def over(self):
        self.go_on()
        self.drain.join(20)
        assert not self.drain.is_alive()


def spread(b):
    """Peers on all three workers."""
    peers = {}
    for node in range(1, 30):
        peers[node] = login(b, node)
        if node >= len(NODES) and len({p["worker"] for p in b.peers()}) == 3:
            break
    return peers


def check(b, peers, lost):
    """Those that are lost have ended and come back, the others talk on."""
    for node in lost:
        peers[node].expect_end(5)
        peers[node].close()
    b.wait_peers(len(peers) - len(lost))
    for node in lost:
        peers[node] = login(b, node)
    b.wait_peers(len(peers))
    nodes = sorted(peers)
    for a, c in zip(nodes, nodes[1:] + nodes[:1]):
        peers[a].send_to(c, b"on and on")
        peers[c].expect_from(a, b"on and on")
    wait_for(lambda: [c["state"] for c in b.children()
        if c["role"] == "worker"] == ["running"] * 3, 10, "three workers")
    b.note_children()


def one_more_move(b, peers):
    for worker in range(3):
        old = b.pid_of("worker", worker)
        b.ctl("drain", str(worker), text=True)
        b.wait_new("worker", old, worker)
    check(b, peers, ())


@pytest.mark.parametrize("victim", ["old", "new", "still"])
@limit(60)
def test_who_dies_before_the_map_is_written(victim):
    with Beacon(workers=3) as b:
        peers = spread(b)
        held = Held(b, peers)
        pid = getattr(held, victim)
        third = descriptors(held.third)
        lost = {"old": held.own(), "new": set(),
            "still": held.of(workers(b)[held.still])}[victim]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), what="its death")
        held.over()
        check(b, peers, lost)
        one_more_move(b, peers)
        # Nothing of it is left behind in who had no part in it: it had a
        # channel to each of the others before, and has now.
        survivor = [p for p in workers(b) if p == held.third]
        assert not survivor or descriptors(held.third) <= third + len(lost)


@limit(60)
def test_who_hangs_holds_nobody_up_for_long():
    """Two seconds, and all is as it was; then it works."""
    with Beacon(workers=3) as b:
        peers = spread(b)
        held = Held(b, peers)
        first = min(held.own())
        other = min(set(peers) - held.own()
            - held.of(workers(b)[held.still]))
        start = time.monotonic()
        peers[other].send_to(first, b"patience")
        peers[first].expect_from(other, b"patience", 5)
        assert 1 < time.monotonic() - start < 4
        b.wait_line("sessions have not moved, and stay: not ready within 2 s")
        held.over()
        check(b, peers, ())


@limit(60)
def test_show_workers_has_what_is_on_its_way():
    with Beacon(workers=3, udp=True) as b:
        peers = spread(b)
        rows = b.ctl("show", "workers")
        assert [r["worker"] for r in rows] == [0, 1, 2]
        assert {r["state"] for r in rows} == {"running"}
        assert {r["udp_sockets"] for r in rows} == {1}
        held = Held(b, peers)
        rows = {r["pid"]: r for r in b.ctl("show", "workers")}
        n = len(held.own())
        old, new = rows[held.old], rows[held.new]
        assert (old["state"], new["state"]) == ("leaving", "running")
        assert old["worker"] == new["worker"] == held.home
        assert (old["moving_out"], new["moving_in"]) == (n, n)
        assert old["moving_to"] == new["place"] != old["place"]
        assert (old["sessions"], new["sessions"]) == (n, 0)
        assert sum(r["sessions"] for r in rows.values()) == len(peers)
        held.over()
        wait_for(lambda: [(r["worker"], r["state"], r["moving_out"],
            r["sessions"] - len(held.of(r["worker"])))
                for r in b.ctl("show", "workers")]
            == [(i, "running", 0, 0) for i in range(3)],
            what="the sessions, moved")


@pytest.mark.parametrize("words, code", [
    (("drop", "1"), 1008), (("block", "1"), 1008),
    (("block", "127.0.0.0/8"), 1008)])
@limit(60)
def test_what_an_operator_ends_meanwhile(words, code):
    with Beacon(workers=3) as b:
        peers = spread(b)
        held = Held(b, peers)
        b.ctl(*words, text=True)
        peers[1].expect_close(code, None, 3)
        if words[1] != "127.0.0.0/8":
            held.go_on()
            b.wait_peers(len(peers) - 1)
        held.over()


@limit(60)
def test_it_ends_while_they_move():
    with Beacon(workers=3) as b:
        peers = spread(b)
        held = Held(b, peers)
        held.go_on()
        b.ctl("stop", text=True)
        for peer in peers.values():
            peer.expect_close(1001, "beacon shutting down", 5)
        b.ends()
        held.drain.join(20)
