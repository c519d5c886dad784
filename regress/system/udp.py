# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Nodes and beacons that speak UDP."""

import socket
import struct
import time

from beacon import wait_for
from client import relay

BOUND = 20.0
SILENCE = 0.3       # long enough for what would come to have come


def command(kind, host, port):
    """A DiscoverReply (2) or PunchCommand (4) with that address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ip = socket.inet_pton(family, host)
    return bytes([kind, len(ip)]) + ip + struct.pack(">H", port)


def sync(beacon, nodes):
    return struct.pack(">BIH%dI" % len(nodes), 7, beacon, len(nodes), *nodes)


class Udp:
    """A socket, perhaps of a node."""

    def __init__(self, port, node=0, host="127.0.0.1", to=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((host, 0))
        self.host = host
        self.port = self.sock.getsockname()[1]
        self.to = (to or ("::1" if ":" in host else "127.0.0.1"), port)
        self.node = node

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, packet):
        self.sock.sendto(packet, self.to)

    def recv_packet(self, bound=BOUND):
        self.sock.settimeout(bound)
        return self.sock.recv(65536)

    def expect(self, want, bound=BOUND):
        got = self.recv_packet(bound)
        assert got == want, "%r..., not %r..." % (got[:40], want[:40])

    def expect_silence(self):
        try:
            got = self.recv_packet(SILENCE)
        except TimeoutError:
            return
        raise AssertionError("came %r" % got[:40])

    def expect_from(self, sender, payload, bound=BOUND):
        self.expect(struct.pack(">BI", 6, sender) + payload, bound)

    def discover(self, ex=False, key=b""):
        self.send(struct.pack(">BI", 8 if ex else 1, self.node) + key)
        self.expect(command(2, self.host, self.port))
        return self

    def join(self, beacon, **how):
        """Discovers, and waits until the beacon has it in its map."""
        self.discover(**how)
        wait_for(lambda: udp_of(beacon, self.node), what="the endpoint")
        return self

    def send_to(self, dest, payload):
        self.send(relay(self.node, dest, payload))

    def punch(self, target, grant=b""):
        self.send(struct.pack(">BII", 3, self.node, target) + grant)


def end_of(ends, node):
    return ends[node % len(ends)]


def discover_many(ends, nodes):
    """Those of `ends` are all those nodes at once, each node one of them.

    Not all need be known then: a beacon that hears too many in a second, of
    one address or of all, answers no more of them.
    """
    for at in range(0, len(nodes), 32):
        some = nodes[at:at + 32]
        for node in some:
            end_of(ends, node).send(struct.pack(">BI", 1, node))
        until = time.monotonic() + 0.5
        for node in some:
            left = max(until - time.monotonic(), 0.001)
            try:
                assert end_of(ends, node).recv_packet(left)[0] == 2
            except TimeoutError:
                pass


def node_of(beacon, node):
    return next((n for n in beacon.ctl("show", "nodes")
        if n["node"] == node), None)


def udp_of(beacon, node):
    got = node_of(beacon, node)
    return got and got["udp"] and got["udp"]["address"]
