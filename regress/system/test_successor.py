# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A new parent takes over from the old one, and nobody notices."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

import pytest

from beacon import Beacon, children_of, limit, wait_for, write
from client import BINARY, CONTINUATION, PING, PONG, frame, login, relay
from keeper import Kept
from test_move_steps import ALL
from test_move import Talk
from udp import Udp

OPEN = "source packet limit 0"

# One that takes over from a parent like itself has its children; with another
# number of workers than that it is not like it, and all stand still.
LIKE, UNLIKE = 2, 3


def talks_of(peers):
    return [Talk(peers[i], peers[i ^ 1], i + 1, (i ^ 1) + 1)
        for i in range(len(peers))]


@limit(60)
@pytest.mark.parametrize("counts", [(2, 2, 2, 2), (3, 2, 1, 2)],
    ids=["like", "unlike"])
def test_a_new_parent_under_traffic(counts):
    with Beacon(OPEN, workers=2, udp=True) as b:
        peers = [login(b, node) for node in range(1, 9)]
        talks = talks_of(peers)
        for workers in counts:
            b.write_conf(OPEN, workers=workers, udp=True)
            b.take_over()
        for talk in talks:
            talk.end()
        b.wait_peers(8)
        wait_for(lambda: {b.worker_of(node) for node in range(1, 9)} ==
            {0, 1}, what="all to be spread")


@limit(60)
def test_a_service_manager_keeps_all_of_it_under_traffic():
    with Kept(OPEN, workers=2, udp=True) as b:
        peers = [login(b, node) for node in range(1, 9)]
        talks = talks_of(peers)
        for _ in range(3):
            b.restart()
            wait_for(lambda: not b.keeper.kept, what="nothing to be kept")
        for talk in talks:
            talk.end()
        b.wait_peers(8)


@limit(30)
@pytest.mark.parametrize("start", [Beacon, Kept])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_another_number_of_workers(start, workers):
    with start(OPEN, workers=2, udp=True) as b:
        peers = [login(b, node) for node in range(1, 5)]
        with Udp(b.udp_port, 9) as far:
            far.join(b)
            b.write_conf(OPEN, workers=workers, udp=True)
            (b.restart if start is Kept else b.take_over)()
            for i, peer in enumerate(peers):
                peer.send_packet(relay(i + 1, 9, b"to udp %d" % i))
                far.expect_from(i + 1, b"to udp %d" % i)
            assert sum(c["role"] == "worker"
                for c in b.children()) == workers


def states(b):
    """Peers in all the states that a session can be in."""
    half, fragments, pinged, slow = (login(b, n) for n in (1, 2, 3, 4))
    whole = frame(BINARY, relay(1, 5, b"in two halves"))
    half.send(whole[:9])
    first = relay(2, 5, b"in fragments")
    fragments.send(frame(BINARY, first[:7], fin=False))
    return half, whole[9:], fragments, first[7:], pinged, slow


@pytest.mark.parametrize("workers", [LIKE, UNLIKE])
def test_half_a_frame_and_half_a_message_go_along(workers):
    with Beacon(OPEN, workers=2) as b:
        half, rest, fragments, more, pinged, _ = states(b)
        dest = login(b, 5)
        b.wait_metric(5, "connections", outcome="auth_ok")
        b.write_conf(OPEN, workers=workers)
        b.take_over()
        half.send(rest)
        assert dest.recv_packet(5)[5:] == b"in two halves"
        fragments.send(frame(CONTINUATION, more))
        assert dest.recv_packet(5)[5:] == b"in fragments"
        pinged.send(frame(PING, b"still there?"))
        pinged.expect(PONG, b"still there?")


@limit(60)
@pytest.mark.parametrize("workers", [LIKE, UNLIKE])
def test_what_a_slow_peer_has_not_read_goes_along(workers):
    size, count = 30000, 60
    with Beacon(OPEN, workers=2) as b, login(b, 1) as fast, \
            login(b, 2) as slow:
        for i in range(count):
            fast.send_packet(relay(1, 2, b"%06d" % i + bytes(size)))
        wait_for(lambda: b.ctl("show", "peer", "2")["queued"] > 0,
            what="a queue")
        b.write_conf(OPEN, workers=workers)
        b.take_over()
        for i in range(count):
            assert slow.recv_packet(5)[5:11] == b"%06d" % i


def test_who_does_not_come_up_changes_nothing():
    with Beacon(OPEN, workers=2) as b:
        peers = [login(b, node) for node in (1, 2)]
        with open(b.conf_path) as f:
            good = f.read()
        pids = b.children()
        for bad in ("nonsense", 'keys file "/none"\nworkers 0',
                "listen on 192.0.2.77 port 1"):
            write(b.conf_path, good + bad + "\n")
            run = subprocess.run(b.command("-u", "-d", "-f", b.conf_path),
                env=b.environment(), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, timeout=10)
            assert run.returncode == 1, run.stderr
        write(b.conf_path, good)
        assert b.children() == pids
        peers[0].send_packet(relay(1, 2, b"as before"))
        assert peers[1].recv_packet(5)[5:] == b"as before"
        b.take_over()
        peers[0].send_packet(relay(1, 2, b"as after"))
        assert peers[1].recv_packet(5)[5:] == b"as after"


def named(parent, role):
    """A child of that parent, once it is what it is to be."""
    def found():
        for pid in children_of(parent):
            with contextlib.suppress(OSError), \
                    open("/proc/%d/cmdline" % pid) as f:
                if f.read().split("\0")[0].endswith(role):
                    return pid
        return None
    return wait_for(found, 10, role)


class Taking:
    """A new parent, unlike the old one, about to take over, held at some step.

    ahead: an old worker does not tell of its sessions at rest. given: a new one
    does not take those. still: an old one does not stand still. whole: all do,
    and a new one does not take what has become of them, as all have changed.
    """

    def __init__(self, b, step, peers):
        self.b = b
        self.old = b.proc.pid
        self.pids = {"old worker": b.pid_of("worker", 0),
            "old auth": b.pid_of("auth")}
        old = self.held = b.pid_of("worker", 1)
        os.kill(self.held, signal.SIGSTOP)
        b.write_conf(OPEN, workers=UNLIKE)
        self.log = tempfile.TemporaryFile()
        self.new = subprocess.Popen(
            b.command("-u", "-d", "-f", b.conf_path), env=b.environment(),
            stdout=subprocess.DEVNULL, stderr=self.log)
        wait_for(lambda: b"ready to take over" in self.said())
        for role in ("worker[0]", "auth"):
            self.pids["new " + role.split("[")[0]] = named(
                self.new.pid, role)
        self.pids["new parent"] = self.new.pid
        new = named(self.new.pid, "worker[1]")
        if step != "ahead":
            self.hold(new)
            b.wait_line("told of ahead")
        if step in ("still", "whole"):
            for peer in peers:
                peer.send(frame(PING, b"changed"))
                peer.expect(PONG, b"changed")
            self.hold(old)
            wait_for(lambda: b"have come ahead" in self.said())
        if step == "whole":
            self.hold(new)
            b.wait_line("all stand still")
        time.sleep(0.2)         # and it has got there

    def hold(self, pid):
        """That one, and no longer the one before."""
        os.kill(pid, signal.SIGSTOP)
        os.kill(self.held, signal.SIGCONT)
        self.held = pid

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def go_on(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.held, signal.SIGCONT)

    def ended(self):
        """The parent that has ended, when one has."""
        wait_for(lambda: self.new.poll() is not None or
            self.b.proc.poll() is not None, 20, "one parent to end")
        return "new" if self.new.poll() is not None else "old"


STEPS = ["ahead", "given", "still", "whole"]
VICTIMS = ["new parent", "new worker", "new auth", "old worker", "old auth"]


def some(steps, victims):
    """In make test half of all, so that each is there at each second step."""
    return [(step, who) for i, step in enumerate(steps)
        for j, who in enumerate(victims) if ALL or (i + j) % 2 == 0]


@limit(60)
@pytest.mark.parametrize("step,who", some(STEPS, VICTIMS))
def test_a_death_in_the_middle(step, who):
    """Sessions of the living stay, with one of the two."""
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 9)}
        lost = {n for n in peers if b.worker_of(n) == 0}
        before = len(os.listdir("/proc/%d/fd" % b.proc.pid))
        taking = Taking(b, step, peers.values())
        b.note_children()
        os.kill(taking.pids[who], signal.SIGKILL)
        time.sleep(0.1)
        taking.go_on()
        ended = taking.ended()
        assert ended == ("old" if who == "old auth" else "new")
        if who != "old worker":
            lost = set()
        if ended == "old":
            b.succeeded_by(taking.new)
        else:
            # Whoever was counted as well has gone since.
            wait_for(lambda: len(os.listdir("/proc/%d/fd" %
                b.proc.pid)) <= before, what="no descriptor to be left")
        b.wait_peers(len(peers) - len(lost))
        alive_nodes = sorted(set(peers) - lost)
        for i, node in enumerate(alive_nodes):
            to = alive_nodes[i - 1]
            peers[node].send_packet(relay(node, to, b"from %d" % node))
            peers[to].expect_from(node, b"from %d" % node)
        # Nothing is in the way of the next one.
        if ended == "new":
            b.take_over()


@limit(60)
def test_a_service_manager_that_does_not_answer_gets_nothing():
    with Kept(OPEN, workers=2) as b:
        peers = [login(b, node) for node in (1, 2)]
        b.keeper.refuses = True
        b.ctl("park", text=True, ok=1)
        wait_for(lambda: not b.keeper.kept, what="nothing to be kept")
        peers[0].send_packet(relay(1, 2, b"as before"))
        peers[1].expect_from(1, b"as before")
        b.keeper.refuses = False
        b.restart()
        peers[0].send_packet(relay(1, 2, b"as after"))
        peers[1].expect_from(1, b"as after")
