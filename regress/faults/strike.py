# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A process that is stopped or killed in the middle of something."""

import json
import os
import signal
import threading
import time

from beacon import alive, wait_for
from case import Played
from client import TEXT, Client, request
from scene import BOUND, COME, QUIET, STAY, TROUBLE, WORKERS, Peer

A_WHILE = 1.0       # stopped that long, nobody is missed
HUNG = 25.0         # seconds after which a process that hangs is gone
PARENT_AWAY = 12.0  # longer than a child may be silent
NODE = COME[0]


class Struck(Played):
    """how: "stop" for a while, "hang" until it is killed, "kill"."""

    def __init__(self, role, how, phase):
        super().__init__(role, how, phase, (1, 0, 1))
        self.phase = phase
        self.whom = 0 if role == "worker" else None
        self.wakers = []

    def __str__(self):
        return "%s %s at %s" % (self.role, self.call, self.phase)

    def name(self):
        return "worker[0]" if self.role == "worker" else self.role

    def dies(self):
        return self.call == "kill" or (self.call == "hang" and
            self.role != "parent")

    def loses(self, what):
        """Its death is no loss, nor that it was called hung."""
        if self.dies() and (what == self.name() + " died" or
                "%s (pid" % self.name() in what and ": hung" in what):
            return
        super().loses(what)

    def may_end(self, worker):
        return self.dies() and self.role == "worker" and worker == 0

    # What happens to it

    def happens(self, scene, before):
        pid = scene.beacon.pid if self.role == "parent" else \
            before.pids[self.role, 0]
        self.wakers = []
        scene.quiet = 2 * A_WHILE
        try:
            PHASES[self.phase](scene, lambda: self.strike(pid))
        except TROUBLE as why:
            self.refused = ["%s: %s" % (self.phase, why)]
        for waker in self.wakers:
            waker.join()
        scene.quiet = QUIET
        if self.call == "hang" and self.role != "parent":
            wait_for(lambda: not alive(pid), HUNG, "its end")
        # Without the parent nobody gets in, and nobody is told anything.
        if self.refused and self.call == "stop":
            self.loses(self.refused[0])

    def strike(self, pid):
        self.failed += 1
        if self.call == "kill":
            os.kill(pid, signal.SIGKILL)
            return
        os.kill(pid, signal.SIGSTOP)
        seconds = A_WHILE
        if self.call == "hang":
            seconds = PARENT_AWAY if self.role == "parent" else None
        if seconds is None:
            return
        waker = threading.Timer(seconds, os.kill, (pid, signal.SIGCONT))
        waker.start()
        self.wakers.append(waker)


# In the middle of what.

def log_in(scene, strikes):
    """Three moments of a login; strikes[i] is called at each."""
    client = Client(scene.beacon.port)
    try:
        strikes[0]()
        client.send(request())
        got = client.answer(bound=2 * BOUND)
        assert got.status == 101, "status %d" % got.status
        challenge = client.expect(TEXT, bound=2 * BOUND)
        strikes[1]()
        client.send_text(client.reply(NODE, json.loads(challenge)))
        strikes[2]()
        client.expect(TEXT, b'{"type":"auth_ok"}', PARENT_BOUND)
        client.node = NODE
        scene.boxes[NODE] = Peer(NODE, client)
    except TROUBLE:
        client.close()
        raise


PARENT_BOUND = PARENT_AWAY + BOUND


def nothing():
    pass


def at_connect(scene, strike):
    log_in(scene, (strike, nothing, nothing))


def at_challenge(scene, strike):
    log_in(scene, (nothing, strike, nothing))


def at_reply(scene, strike):
    log_in(scene, (nothing, nothing, strike))


def at_relay(scene, strike):
    """What is sent before, to whom lives, comes; what later, too."""
    scene.exchange()
    one, other = scene.boxes[STAY[0]], scene.boxes[STAY[1]]
    for i in range(200):
        one.send_to(other.node, b"%d" % i)
        if i == 100:
            strike()
        if i % 20 == 0:
            time.sleep(0.01)
    scene.log_ins()
    scene.talk()


def with_reload(scene, strike, count):
    """The signal comes while beaconctl waits."""
    said = []

    def reload():
        try:
            scene.beacon.ctl("reload", text=True)
        except (AssertionError, OSError) as why:
            said.append(why)
    scene.beacon.write_conf(scene.beacon.conf, workers=count, udp=True)
    thread = threading.Thread(target=reload)
    thread.start()
    time.sleep(0.003)
    strike()
    thread.join()
    if said:
        raise AssertionError(said[0])


def at_reload(scene, strike):
    with_reload(scene, strike, WORKERS)


def at_grow(scene, strike):
    with_reload(scene, strike, WORKERS + 1)


PHASES = {"connect": at_connect, "challenge": at_challenge,
    "reply": at_reply, "relay": at_relay, "reload": at_reload,
    "grow": at_grow}


def strike_rows(role, how):
    """Nothing is left of whose parent is killed: test_failures.py."""
    return [Struck(role, how, phase) for phase in PHASES
        if (role, how) != ("parent", "kill")]
