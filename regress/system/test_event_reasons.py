# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Each reason that takes some doing is made to happen, and is in its line.

Those that take a crowd are where there is one: test_inbound.py has "crowded",
test_strangers.py "busy" of an upgrade.
"""

import struct
import time

import pytest

import router as R
from beacon import Beacon, wait_for
from client import BINARY, BOUND, Client, Ended, frame, login, request
from machine import OnMachine
from registry import Registry
from test_events import events, wait_event
from test_router import Routed, close_text
from test_slow import flood
from udp import Udp

AGE = 30            # seconds that a challenge may be answered in
LIFETIME = 90       # ... and is remembered
PATIENCE = 3        # that a login waits for the registry

# Loopback has a proxy, and others who speak for themselves.
CONF = """trusted proxy { 127.0.0.1 }
auth timeout 300
idle timeout 300
write timeout 1
source upgrade limit 2
source packet limit 0
"""


class Machine(OnMachine, Routed):
    """With a router socket and a registry, and clocks and memory to set."""

    def __init__(self, registry):
        self.registry = registry
        super().__init__(CONF + registry.directive, workers=1)


def asked(b, source):
    """A client of that address that has been challenged."""
    client = Client(b.port)
    client.upgrade(X_Forwarded_For=source)
    return client, client.challenge()


# What follows makes one line each; returns what else it must say.

def dropped(b):
    with login(b, 1) as client:
        b.ctl("drop", 1, text=True)
        client.expect_close(1008)
    return {"node": "1"}


def router(b):
    with b.router() as r, login(b, 2) as client:
        r.channels[0].expect(R.CAME, 2)
        r.channels[0].send(R.CLOSE, 2, 0, close_text(4999, b"enough"))
        client.expect_close(4999)
    wait_for(b.without)
    return {"node": "2"}


def slow(b):
    with login(b, 3, rcvbuf=4096), login(b, 4) as source:
        flood(b, source, 3)
        b.spend(2)
        b.wait_metric(1, "write_timeouts")
    return {"node": "3"}


def end_busy(b):
    with login(b, 5) as client:
        b.memory(False)
        client.send(frame(BINARY, bytes(60000))[:30000])
        client.expect_close(1013)
        b.memory(True)
    return {"node": "5"}


def request_busy(b):
    b.memory(False)
    with Client(b.port, source="127.0.0.8") as client:
        client.send(request())
        client.expect_end()
        b.memory(True)
        return {"remote": "127.0.0.8:%d" % client.sock.getsockname()[1]}


def login_busy(b):
    client, _ = asked(b, "203.0.113.1")
    old = b.kill("auth")
    client.expect_close(1013)
    client.close()
    b.wait_new("auth", old)
    return {"remote": "203.0.113.1"}


def request_half_open(b):
    """One more than a source may have, all of them young."""
    clients = [Client(b.port, source="127.0.0.9") for _ in range(3)]
    for client in clients:
        client.send(request()[:40])
    wait_for(lambda: b.metric("wss_refused", reason="half_open"))
    for client in clients:
        client.close()
    return {"status": "0"}


def login_half_open(b):
    """The oldest of a source makes room, once it has had its second."""
    old, _ = asked(b, "203.0.113.2")
    second, _ = asked(b, "203.0.113.2")
    b.spend(2)
    third, _ = asked(b, "203.0.113.2")
    old.expect_end()
    for client in (old, second, third):
        client.close()
    return {"remote": "203.0.113.2"}


def knocking(b, **how):
    """One client after the other, for as long as anything is waited for."""
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        with Client(b.port, **how) as client:
            yield client
    raise AssertionError("nobody is refused")


def request_blocked(b):
    b.ctl("block", "127.0.0.10/32", text=True)
    # A worker hears of it a moment later.
    for client in knocking(b, source="127.0.0.10"):
        client.send(request())
        try:
            client.answer()
        except Ended:
            return {"remote": "127.0.0.10:%d" % client.sock.getsockname()[1]}


def upgrade_blocked(b):
    b.ctl("block", "198.51.100.0/24", text=True)
    for client in knocking(b):
        client.send(request(X_Forwarded_For="198.51.100.7"))
        if client.answer().status == 403:
            return {"remote": "198.51.100.7", "status": "403"}


def login_blocked(b):
    b.ctl("block", 6, text=True)
    with Client(b.port) as client:
        client.send_reply(6)
        client.expect_close(1008)
    return {"node": "6"}


def answered_late(b, node, seconds):
    client, challenge = asked(b, "203.0.113.3")
    b.spend(seconds)
    client.send_text(client.reply(node, challenge))
    client.expect_close(1008)
    client.close()
    return {"node": str(node), "remote": "203.0.113.3"}


def unanswered(b):
    b.registry.hang()
    with Client(b.port) as client:
        client.send_reply(99)
        wait_for(lambda: b.registry.lookups(99))
        b.spend(PATIENCE)
        client.expect_close(1013)
    b.registry.go_on()
    return {"node": "99"}


REASONS = (
    ("end", "dropped", dropped),
    ("end", "router", router),
    ("end", "slow", slow),
    ("end", "busy", end_busy),
    ("request-refused", "busy", request_busy),
    ("request-refused", "half_open", request_half_open),
    ("request-refused", "blocked", request_blocked),
    ("upgrade-refused", "blocked", upgrade_blocked),
    ("login-refused", "busy", login_busy),
    ("login-refused", "half_open", login_half_open),
    ("login-refused", "blocked", login_blocked),
    ("login-refused", "unanswered", unanswered),
    ("login-refused", "age", lambda b: answered_late(b, 7, AGE + 2)),
    ("login-refused", "nonce", lambda b: answered_late(b, 8, LIFETIME + 2)),
)


@pytest.mark.parametrize("event,reason,make", REASONS,
    ids=["%s-%s" % row[:2] for row in REASONS])
def test_reason(event, reason, make):
    with Registry() as r, Machine(r) as b:
        wait_event(b, event, reason, **make(b))


def test_places_are_short():
    with Beacon(workers=1, nofile=256) as b:
        clients = [Client(b.port) for _ in range(256 - 64 + 8)]
        e = wait_for(lambda: [e for e in events(b)
            if e["event"] == "accept-paused"])[0]
        assert e["reason"] == "places" and e["remote"] == e["node"] == "-"
        assert "LimitNOFILE" in e["note"]
        for client in clients:
            client.close()


def test_udp_nodes_without_a_place():
    """The parent's own line."""
    with Beacon("source node limit 1\nsource exempt 192.0.2.1", udp=True) \
            as b, Udp(b.udp_port, 1) as u:
        u.discover()
        u.send(struct.pack(">BI", 1, 2))
        e = wait_event(b, "discover-refused", "source", node="2")
        assert e["worker"] == "-"
        assert e["remote"] == "127.0.0.1:%d" % u.port
