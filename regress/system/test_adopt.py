# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A new parent that is like the old one: it has its children, and nobody stands
still.  Whoever dies on the way, at whatever step, takes no more along than its
own sessions."""

import json
import os
import signal
import subprocess
import tempfile
import time

import pytest

from beacon import Beacon, children_of, limit, wait_for
from client import TEXT, Client, login
from router import FRAME
from test_move_steps import Stepped, is_stopped, message
from test_router import Routed
from test_successor import OPEN, VICTIMS, named, some
from test_successor_losses import all_talk

WORKERS = 2
PLACES = 64        # for workers of one parent, and as many for the other's


class Steps(Stepped):
    """A beacon whose next parent's workers can be held."""

    def __init__(self):
        super().__init__(None, conf=OPEN, workers=WORKERS)

    def environment(self):
        return Beacon.environment(self)


class Adopting:
    """A new parent that is about to have the old one's children, held.

    held: it has the sockets, and its workers are not ready. asked: the old one
    has not read that it is asked. given: its children are at rest, and the new
    one has not read so. taken: they are known there, and the old one has not
    read that. moving: they are the new one's, but one is stopped, so that its
    sessions do not move.
    """

    def __init__(self, b, step):
        self.b = b
        self.pids = {"old worker": b.pid_of("worker", 0),
            "old auth": b.pid_of("auth")}
        old, other = b.proc.pid, b.pid_of("worker", 1)
        self.held = set()
        self.start()
        if step == "held":
            return
        self.hold(old)
        for pid in self.held - {old}:
            self.release(pid)
        wait_for(lambda: b"ready to take over" in self.said())
        time.sleep(0.2)         # and it has asked
        if step == "asked":
            return
        self.hold(self.new.pid)
        if step == "moving":
            self.hangs = other
            self.hold(other)
        self.release(old)
        b.wait_line("our children are at rest")
        time.sleep(0.2)         # and it has said so
        if step == "given":
            return
        self.hold(old)
        self.release(self.new.pid)
        wait_for(lambda: b"can be ours" in self.said())
        time.sleep(0.2)
        if step == "taken":
            return
        self.release(old)
        wait_for(lambda: b"beacond: ready\n" in self.said())

    def start(self):
        """Its workers stop themselves before they say that they are ready."""
        self.log = tempfile.TemporaryFile()
        self.new = subprocess.Popen(
            self.b.command("-u", "-d", "-f", self.b.conf_path),
            env={**self.b.environment(),
                "MALLOC_STOP_AT": message("WP_READY 0")},
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.pids["new parent"] = self.new.pid
        for role in ("worker[1]", "worker[0]", "auth"):
            pid = named(self.new.pid, role)
            self.pids["new " + role.split("[")[0]] = pid
            if role != "auth":
                self.held.add(wait_for(lambda: pid if is_stopped(pid)
                    else None, what="a worker that stands still"))

    def hold(self, pid):
        os.kill(pid, signal.SIGSTOP)
        self.held.add(pid)

    def release(self, pid):
        os.kill(pid, signal.SIGCONT)
        self.held.discard(pid)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def kill(self, who):
        self.b.note_children()
        self.b.seen.update(p for name, p in self.pids.items()
            if name.startswith("new"))
        os.kill(self.pids[who], signal.SIGKILL)
        self.held.discard(self.pids[who])

    def go_on(self):
        for pid in list(self.held):
            self.release(pid)

    def one_has_ended(self):
        """A worker that comes in the place of one stops itself as well."""
        for pid in children_of(self.new.pid):
            if is_stopped(pid):
                os.kill(pid, signal.SIGCONT)
        return self.new.poll() is not None or self.b.proc.poll() is not None

    def goes_on(self):
        """The parent that does."""
        wait_for(self.one_has_ended, 20, "one parent to end")
        if self.new.poll() is None:
            wait_for(lambda: self.one_has_ended() and all(c["state"] ==
                "running" for c in self.b.children()), 10, "all to run")
            self.b.succeeded_by(self.new)
            return "new"
        return "old"


def spread(b):
    """Peers on both workers."""
    peers = {}
    for node in range(1, 26):
        peers[node] = login(b, node)
        if node >= 8 and len({p["worker"] for p in b.peers()}) == WORKERS:
            break
    return peers


# Who dies, and who goes on; "moving" is over by then for both parents.
DEATHS = [(step, who) for step, who in
    some(["asked", "given", "taken", "moving"], VICTIMS)
    if (step, who) != ("moving", "new parent")]


@limit(60)
@pytest.mark.parametrize("step,who", DEATHS)
def test_a_death_in_the_middle(step, who):
    with Steps() as b:
        peers = spread(b)
        lost = {n for n in peers if b.worker_of(n) == 0}
        before = len(os.listdir("/proc/%d/fd" % b.proc.pid))
        adopting = Adopting(b, step)
        adopting.kill(who)
        time.sleep(0.1)
        adopting.go_on()
        goes_on = adopting.goes_on()
        # Before it has read that it is asked, the old one may replace its own
        # child first, and then be taken over from.
        if step == "given" or (step == "asked" and who.startswith("new")):
            assert goes_on == "old"
        elif step == "moving" or who.startswith("new w"):
            assert goes_on == "new"
        if goes_on == "old":
            wait_for(lambda: len(os.listdir("/proc/%d/fd" %
                b.proc.pid)) <= before, what="no descriptor to be left")
        if who != "old worker":
            lost = set()
        b.wait_peers(len(peers) - len(lost))
        all_talk({n: peers[n] for n in set(peers) - lost})
        login(b, 32).close()
        # Nothing is in the way of the next one.
        b.take_over()
        all_talk({n: peers[n] for n in set(peers) - lost})


@limit(60)
def test_its_parent_waits_for_them_and_ends_with_the_last():
    """And nobody ends it before."""
    with Steps() as b:
        peers = spread(b)
        held = {n for n in peers if b.worker_of(n) == 1}
        adopting = Adopting(b, "moving")
        old = b.proc
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            old.send_signal(number)
        time.sleep(0.2)
        assert old.poll() is None
        all_talk({n: peers[n] for n in set(peers) - held})
        adopting.go_on()
        assert old.wait(20) == 0
        b.succeeded_by(adopting.new)
        all_talk(peers)


@limit(60)
def test_counters_go_on():
    """No scrape sees them begin anew, nor twice as much."""
    with Steps() as b:
        peers = spread(b)
        all_talk(peers)
        for _ in range(3):
            b.wait_metric(len(peers), "bridge", src_transport="wss",
                dst_transport="wss")
            assert b.metric("connections", outcome="auth_ok") == len(peers)
            b.take_over()


@limit(60)
def test_who_has_begun_to_log_in_is_in():
    """With a challenge of the old auth, and an answer when it is not ours."""
    with Steps() as b:
        peers = spread(b)
        begun = [Client(b.port) for _ in range(6)]
        challenges = []
        for client in begun:
            client.upgrade()
            challenges.append(client.challenge())
        adopting = Adopting(b, "moving")
        for node, (client, challenge) in enumerate(zip(begun, challenges), 27):
            client.send_text(client.reply(node, challenge))
        adopting.go_on()
        assert adopting.goes_on() == "new"
        for client in begun:
            assert json.loads(client.expect(TEXT)) == {"type": "auth_ok"}
        b.wait_peers(len(peers) + len(begun))


@limit(60)
def test_a_router_attaches_again():
    """No worker of before sends frames to what is not there."""
    with Routed("source packet limit 0") as b:
        with b.router():
            peers = {node: login(b, node) for node in range(1, 5)}
            b.take_over()
            # It has lost its channels, and the relay goes on; then again.
            all_talk(peers)
        with b.router() as r:
            peers[1].send_packet(b"to whoever is there")
            share = b.worker_of(1)
            channel, = (c for place, c in r.channels.items()
                if place % PLACES == share)
            while channel.receive()[0] != FRAME:
                continue


@limit(60)
def test_one_that_hangs_does_not_stay():
    """It is not the new parent's child, and can be killed none the less."""
    with Steps() as b:
        peers = spread(b)
        held = {n for n in peers if b.worker_of(n) == 1}
        adopting = Adopting(b, "moving")
        b.note_children()
        old = b.proc
        for pid in list(adopting.held - {adopting.hangs}):
            adopting.release(pid)
        assert old.wait(30) == 0
        b.succeeded_by(adopting.new)
        assert b"hung: killed" in adopting.said()
        b.wait_peers(len(peers) - len(held))
        all_talk({n: peers[n] for n in set(peers) - held})
        b.take_over()


@limit(60)
def test_a_break_in_is_told_of_by_whoever_has_started_it():
    with Steps() as b:
        peers = spread(b)
        adopting = Adopting(b, "moving")
        os.kill(adopting.hangs, signal.SIGSYS)
        adopting.go_on()
        b.wait_line(r"security: worker\[1\] .* died of SIGSYS")
        assert adopting.goes_on() == "new"
        assert b"ended before its sessions had moved" in adopting.said()


@limit(60)
def test_nothing_changes_once_it_has_the_sockets():
    """What it has read by then would not be true any more."""
    with Steps() as b:
        peers = spread(b)
        adopting = Adopting(b, "held")
        for words in (("reload",), ("block", "3"), ("unblock", "3")):
            b.ctl(*words, text=True, ok=1)
        adopting.go_on()
        assert adopting.goes_on() == "new"
        all_talk(peers)
        b.ctl("reload", text=True)


@limit(60)
def test_who_asks_to_end_all_is_heard():
    """Not what was to be taken over goes on, but nobody."""
    with Steps() as b:
        peers = spread(b)
        adopting = Adopting(b, "given")
        b.proc.send_signal(signal.SIGTERM)
        for peer in peers.values():
            peer.expect_close(1001)
        adopting.go_on()
        assert adopting.new.wait(20) == 1
        assert b.proc.wait(20) == 0
