# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A worker in a stranger's hands gives sessions away, or gets some.

It costs him the sessions that are his, or his life, and nobody else anything.
"""

import os
import socket
import struct
import threading
import time

import pytest

from beacon import alive, limit, wait_for
from client import login
from puppet import P, Staged, channel_of, message, signature

# enum worker_moves
STATE, BYTES, END, CLOSE, LAST = range(0x780, 0x785)
NODE = 20       # whose session the puppet has
GIVE, TAKE = 1, 65      # places: of a worker, and of the next for its part


def state(version=1, required=0, session=0, pending=(0, 0, 0, 0),
        message_=(0, 0, 0), queue=(0, 0), control=(0, 0), magic=0x62736573):
    return struct.pack("=IHHII5Q6I16s4I3I2I2I2I254s6x", magic, version, 408,
        required, 0, *[0] * 5, session, 0, 0, 0, 0, 0, b"", *pending,
        *message_, *queue, 0, 0, *control, b"")


def data(kind, what, session=0):
    return struct.pack("=II", session, kind) + what


def connection():
    """What a session has; kept open by the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    one = socket.create_connection(listener.getsockname())
    two, _ = listener.accept()
    two.setblocking(False)
    return two, one, listener


def blocks():
    two, *rest = connection()
    two.setblocking(True)
    return two, *rest


def pipe():
    ends = os.pipe()
    return [open(end, "rb" if end == ends[0] else "wb", 0) for end in ends]


def local():
    return socket.socketpair()


def listens():
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return [listener]


GOOD = (STATE, state(), connection)
LIES = {
    "no connection of a session": [(STATE, state(), blocks)],
    "no connection of a session.": [(STATE, state(), pipe)],
    "no connection of a session..": [(STATE, state(), local)],
    "no connection of a session...": [(STATE, state(), listens)],
    "descriptor missing": [(STATE, state(), None)],
    "no state of a session": [(STATE, state(magic=1), connection)],
    "state of no such session": [(STATE, state(session=1), connection)],
    "state that takes a later": [(STATE, state(required=1), connection)],
    "the same session twice": [GOOD, GOOD],
    "state with an impossible queue":
        [(STATE, state(queue=(1 << 30, 0)), connection)],
    "state with impossible control": [(STATE, state(control=(255, 0)),
        connection)],
    "bytes of no session": [(BYTES, data(0, b"x"), None)],
    "more of a frame than": [GOOD, (BYTES, data(0, b"x"), None)],
    "no frame of ours": [(STATE, state(queue=(9, 0)), connection),
        (BYTES, data(2, b"\xff" * 9), None)],
    "less of a session than": [(STATE, state(queue=(9, 0)), connection),
        (END, b"", None)],
    "message out of turn": [GOOD, (LAST, b"", None)],
    "message of unknown type": [(LAST + 1, b"", None)],
}


class Moves(Staged):
    """Worker 1 is drained; who stands in that place is a puppet."""

    def __init__(self, place, **how):
        super().__init__(lambda role, number, epoch: number == place,
            workers=2, **how)
        self.error = None
        self.asks = threading.Thread(target=self.ask)
        self.things = []

    def ask(self):
        try:
            self.ctl("drain", "1", text=True)
        except AssertionError as e:
            self.error = e

    def given(self, puppet, kind):
        puppet.wait(lambda: puppet.told.get(kind), "message %#x" % kind)
        return puppet.told[kind][0], channel_of(puppet.fds[kind].pop(0))

    def keep(self, *things):
        self.things += things

    def clean_up(self):
        super().clean_up()
        self.asks.join(20)
        for thing in self.things:
            thing.close()


def talk(one, two):
    for sender, dest in ((one, two), (two, one)):
        sender.send_to(dest.node, b"on")
        dest.expect_from(sender.node, b"on")


def has_session(puppet):
    """A session of the puppet's, in the map."""
    number, (nonce,) = puppet.nonces()
    now = int(time.time())
    puppet.verify(number, NODE, now, signature(NODE, nonce, now))
    puppet.wait_message(P.PW_OPEN)


@pytest.mark.parametrize("reason", LIES)
@limit(60)
def test_who_lies_about_what_he_gives(reason):
    with Moves(GIVE) as b:
        puppet = b.puppet(number=GIVE)
        one, two = login(b, 1), login(b, 2)
        has_session(puppet)
        b.asks.start()
        _, line = b.given(puppet, P.PW_MOVE_OUT)
        b.keep(line)
        for kind, what, thing in LIES[reason]:
            things = thing() if thing else []
            b.keep(*things)
            line.raw(message(kind, what, mark=bool(things)),
                [t.fileno() for t in things[:1]])
        b.wait_line("worker.1.: move from worker 1: " + reason.rstrip("."))
        b.wait_line("none of 1 sessions could be taken, and they stay")
        talk(one, two)
        # It is where it was, and whoever was lied to does his work.
        rows = {r["place"]: r for r in b.ctl("show", "workers")}
        assert (rows[GIVE]["sessions"], rows[TAKE]["sessions"]) == (1, 0)
        assert rows[TAKE]["state"] == "running"
        assert {p["node"] for p in b.peers()} == {1, 2, NODE}


def ready(ticket, mask, slot=0):
    return message(P.WP_MOVE_READY,
        struct.pack("=QQI64II", mask, 0, ticket, *[slot] * 64, 0))


def done(ticket):
    return message(P.WP_MOVE_DONE, struct.pack("=I", ticket))


# What he says, what comes of it, whether it costs his life.
TAKES = {
    "more than he got": (lambda t, n: ready(t, (1 << n + 1) - 1),
        "ready for no such sessions", True),
    "no place": (lambda t, n: ready(t, 1, 0xffffffff),
        "session in no place", True),
    "done too early": (lambda t, n: done(t),
        "done before it was ready", True),
    "none": (lambda t, n: ready(t, 0),
        "none of [0-9]+ sessions could be taken, and they stay", False),
    "another batch": (lambda t, n: ready(t + 7, 1) + done(t + 7),
        "have not moved, and stay: not ready within 2 s", False),
    "nothing": (lambda t, n: b"",
        "have not moved, and stay: not ready within 2 s", False),
}


@limit(60)
def test_who_is_never_done_with_what_he_got():
    """It is his, and nobody waits for him."""
    with Moves(TAKE) as b:
        peers = []
        for node in range(1, 30):
            peers.append(login(b, node))
            if b.worker_of(node) == 1 and node > 1:
                break
        b.asks.start()
        puppet = b.puppet(number=TAKE)
        what, line = b.given(puppet, P.PW_MOVE_IN)
        b.keep(line)
        ticket, _, count = struct.unpack_from("=III", what)
        puppet.raw(ready(ticket, (1 << count) - 1))
        b.wait_line("[0-9]+ sessions have moved, but not done with that "
            "within 2 s")
        b.wait_line("all sessions have moved", 10)


@pytest.mark.parametrize("case", TAKES)
@limit(60)
def test_who_lies_about_what_he_gets(case):
    says, reason, dies = TAKES[case]
    with Moves(TAKE, security=reason if dies else None) as b:
        peers = []
        for node in range(1, 30):
            peers.append(login(b, node))
            if b.worker_of(node) == 1 and node > 1:
                break
        b.asks.start()
        puppet = b.puppet(number=TAKE)
        what, line = b.given(puppet, P.PW_MOVE_IN)
        b.keep(line)
        ticket, _, count = struct.unpack_from("=III", what)
        puppet.raw(says(ticket, count))
        b.wait_line(reason)
        if dies:
            wait_for(lambda: not alive(puppet.pid), what="his death")
        for one, two in zip(peers, peers[1:] + peers[:1]):
            talk(one, two) if one is not two else one.in_step()
        b.wait_peers(len(peers))
