# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Sockets that are bound to all addresses of a machine that has several.

A daemon takes nothing that does not come from the very address and port that
it sends to.
"""

import struct

from beacon import Beacon, limit, wait_for
from client import login
from netns import in_own_network, ip
from udp import BOUND, Udp, command, node_of, sync

NO_LIMIT = "source packet limit 0\npunch source limit 0\npunch total limit 0\n"


class Daemon(Udp):
    """One that knows the beacon by one of its addresses."""

    def __init__(self, b, node, at, host=None):
        six = ":" in at
        super().__init__(b.udp_port, node,
            host or ("fd00::1" if six else "127.0.0.1"), at)

    def recv_packet(self, bound=BOUND):
        self.sock.settimeout(bound)
        data, source = self.sock.recvfrom(65536)
        assert source[:2] == self.to, "%r came from %r, not from %r" % (
            data[:1], source, self.to)
        return data

    def move(self, at):
        """Speaks to another address of the beacon from now on."""
        self.to = at, self.to[1]
        return self


def every_type(b, at, host, base):
    """02, 04, 06 and 09 reach daemons that send to `at`."""
    with Daemon(b, base, at, host) as u, Daemon(b, base + 1, at, host) as ex, \
            Daemon(b, base + 2, at, host) as far, login(b, 1) as w:
        # The first is answered by way of the map, the others at once.
        for _ in range(3):
            u.discover()
            ex.discover(ex=True)
            far.discover()
        w.send_to(u.node, b"from a session")
        u.expect_from(1, b"from a session")
        # Many at once leave together, whatever worker they come to.
        senders = [Daemon(b, base + 3 + i, at, host) for i in range(6)]
        for v in senders:
            for i in range(40):
                v.send_to(u.node, b"%02d" % i)
                v.send_to(ex.node, b"%02d" % i)
            for i in range(40):
                u.expect_from(v.node, b"%02d" % i)
                ex.expect(struct.pack(">BII", 9, v.node, ex.node) +
                    b"%02d" % i)
            v.close()
        u.punch(far.node)
        u.expect(command(4, far.host, far.port))
        far.expect(command(4, u.host, u.port))
    with Daemon(b, 0, at, host) as probe:
        probe.discover()


def at_all(listen, pairs):
    with Beacon(NO_LIMIT + "listen udp on %s port 0" % listen) as b:
        for i, (at, host) in enumerate(pairs):
            every_type(b, at, host, 100 * (i + 1))


FOUR = [("127.0.0.2", "127.0.1.1"), ("127.9.9.9", "127.0.1.2"),
    ("127.0.0.1", "127.0.1.3")]
SIX = [("fd00::1", "fd00::2"), ("fd00::3", "fd00::1"), ("fd00::2", "fd00::2")]


def test_ipv4():
    at_all("0.0.0.0", FOUR)


@in_own_network
def test_ipv6_and_ipv4_with_it():
    ip("link set lo up")
    for i in range(1, 4):
        ip("addr add fd00::%d/128 dev lo nodad" % i)
    at_all("*", SIX + FOUR)
    at_all("::", SIX)


def test_each_node_has_its_own():
    """Also of those that share a port."""
    with Beacon(NO_LIMIT + "listen udp on * port 0", workers=4) as b, \
            Daemon(b, 5, "127.0.0.5") as u, Daemon(b, 9, "127.0.0.9") as v:
        for node in range(10, 20):
            u.node = node
            u.move("127.0.0.%d" % node).discover()
        for _ in range(20):
            for node in range(10, 20):
                v.send_to(node, b"x")
        got = [u.sock.recvfrom(100) for _ in range(200)]
        assert all(data == struct.pack(">BI", 6, 9) + b"x"
            for data, _ in got)
        for node in range(10, 20):
            assert sum(source == ("127.0.0.%d" % node, b.udp_port)
                for _, source in got) == 20


def test_node_that_speaks_to_another_address_of_ours():
    with Beacon(NO_LIMIT + "listen udp on * port 0") as b, \
            Daemon(b, 5, "127.0.0.5") as u, Daemon(b, 9, "127.0.0.9") as v:
        for last in (5, 6, 7, 5):
            u.move("127.0.0.%d" % last).discover()
            v.send_to(5, b"x")
            u.expect_from(9, b"x")


def beacons(count, host="127.0.0.66"):
    """Ports of other beacons, and what makes them peers."""
    found = [Udp(1, host=host) for _ in range(count)]
    return found, "beacon id 1\n" + "".join(
        "peer beacon %s port %d\n" % (host, p.port) for p in found)


@limit(60)
def test_other_beacons_get_all_from_where_they_send_to():
    peers, conf = beacons(2)
    with Beacon(NO_LIMIT + conf + "listen udp on * port 0\n"
            "default beacon 127.0.0.66 port %d" % peers[0].port,
            workers=4) as b:
        for i, peer in enumerate(peers):
            peer.to = "127.0.0.%d" % (10 + i), b.udp_port
            peer.send(sync(50 + i, [1000 + i]))
        wait_for(lambda: all(node_of(b, 1000 + i) for i in range(2)))
        # Its nodes' packets, whatever worker they come to.
        senders = [Daemon(b, 7 + i, "127.0.0.9") for i in range(8)]
        for v in senders:
            for i in range(2):
                v.send_to(1000 + i, b"x")
            v.send_to(4444, b"to the default one")
        for i, peer in enumerate(peers):
            for _ in range(8 if i > 0 else 16):
                got, source = receive(peer, 5)
                assert source == peer.to, (got, source)
        # And our own word.
        for peer in peers:
            got, source = receive(peer, 7)
            assert source == peer.to, (got, source)
        # A peer that moves to another address of ours.
        peers[1].to = "127.0.0.99", b.udp_port
        peers[1].send(sync(51, [1001, 1002]))
        wait_for(lambda: node_of(b, 1002)["beacon"]["id"] == 51)
        for v in senders:
            v.send_to(1001, b"y")
            got, source = receive(peers[1], 5)
            assert source == peers[1].to, (got, source)
            v.close()
    for peer in peers:
        peer.close()


def receive(peer, kind):
    """The next packet of that type, and from where it came."""
    peer.sock.settimeout(15)
    while True:
        got, source = peer.sock.recvfrom(65536)
        if got[0] == kind:
            return got, source


def test_more_addresses_of_ours_than_can_be_kept():
    """Those nodes are answered, and reached from where the kernel likes."""
    with Beacon(NO_LIMIT + "listen udp on * port 0", workers=1) as b, \
            Daemon(b, 9, "127.0.0.9") as v:
        v.discover()
        daemons = [Daemon(b, 1000 + i, "127.0.%d.%d" % (1 + i // 100,
            1 + i % 100)) for i in range(258)]
        for u in daemons:
            u.discover()
        b.wait_metric(4, "endpoint_near_full")
        for u in daemons:
            v.send_to(u.node, b"x")
        for u in daemons[:254]:
            u.expect_from(9, b"x")
        for u in daemons[254:]:
            data, source = u.sock.recvfrom(100)
            assert data[5:] == b"x" and source[1] == b.udp_port
        for u in daemons:
            u.close()
