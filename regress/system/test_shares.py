# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What is told to other beacons where no port can be opened.

As under the unit: the network of the daemon is empty, and what it has are the
sockets of the service manager.
"""

import socket
import struct

from beacon import limit
from client import login
from test_service import Activated, bound
from udp import Udp, discover_many

ROUND = 10          # seconds from one Sync to the next
LARGEST = 16374     # nodes in one of them
FILL = 14000        # above it a second port is wanted
PER_HOST = 4000     # nodes that come from one address

# Their turn comes after the first one's, who so hears all of a round at once.
OTHER_PEERS = "".join("\npeer beacon 127.0.0.%d port 9" % (60 + i)
    for i in range(20))


class Mesh:
    """A beacon with one peer; further: how many ports for gossip it gets."""

    def __init__(self, further):
        self.peer = Udp(0, host="127.0.0.40")
        self.tcp = bound(socket.SOCK_STREAM)
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen(100)
        self.sockets = [bound(socket.SOCK_DGRAM) for _ in range(2 + further)]
        for n, s in enumerate(self.sockets):
            s.bind(("127.0.0.1", 0) if n != 1 else
                self.sockets[0].getsockname())
        self.ports = [s.getsockname()[1] for s in self.sockets]
        self.beacon = Activated([self.tcp] + self.sockets, listen=False,
            unprivileged=True, conf="""
            listen on 127.0.0.1 port %d
            listen udp on 127.0.0.1 port %d
            beacon id 1
            peer beacon 127.0.0.40 port %d
            source packet limit 0
            """ % (self.tcp.getsockname()[1], self.ports[0],
                self.peer.port) + OTHER_PEERS)

    def __enter__(self):
        return self.beacon.__enter__(), self.peer

    def __exit__(self, *how):
        self.beacon.__exit__(*how)
        for s in [self.tcp, self.peer] + self.sockets:
            s.close()


def invent(b, count):
    """Makes so many nodes known by UDP, each heard once; which they are."""
    nodes = range(100000, 100000 + count)
    for i in range(0, count, PER_HOST):
        with Udp(b.udp_port, host="127.0.0.%d" % (50 + i // PER_HOST)) as u:
            some = set(nodes[i:i + PER_HOST])
            while some:
                discover_many([u], sorted(some))
                some -= {n["node"] for n in b.ctl("show", "nodes")}
    return set(nodes)


def tell(peer):
    """The next Sync: (port that it comes from, its nodes)."""
    peer.sock.settimeout(2 * ROUND)
    data, (_, port) = peer.sock.recvfrom(65536)
    count, = struct.unpack_from(">H", data, 5)
    assert count <= LARGEST and len(data) == 7 + 4 * count
    return port, set(struct.unpack_from(">%dI" % count, data, 7))


@limit(90)
def test_who_is_connected_is_told_before_who_only_sent_datagrams():
    mesh = Mesh(0)
    with mesh as (b, peer):
        nodes = invent(b, LARGEST + 100)
        clients = [login(b, node) for node in (1, 2, 3)]
        # What was said before comes first, and what was under way then.
        for _ in range(4):
            _, told = tell(peer)
            if told & {1, 2, 3}:
                break
        assert {1, 2, 3} <= told, "no session is told"
        assert len(told) == LARGEST and told - nodes == {1, 2, 3}
        b.wait_line(r"\d+ of \d+ nodes are not told to other beacons: only 1 "
            r"of our ports can be had \(.*\), see beacond\(8\)$")
        assert b.metric("gossip_cut") >= 103
        for client in clients:
            client.close()


@limit(90)
def test_further_ports_of_the_service_manager():
    mesh = Mesh(3)
    with mesh as (b, peer):
        nodes = invent(b, FILL + LARGEST)
        # Whoever takes the sender's place has them too.
        b.wait_new("worker", b.kill("worker", 0), 0)
        told = {}
        while len(set().union(*told.values())) < len(nodes):
            port, some = tell(peer)
            told[port] = some
        assert sum(map(len, told.values())) == len(nodes), "told twice"
        assert set(told) == set(mesh.ports[:1] + mesh.ports[2:]), told.keys()
        assert b.metric("gossip_cut") == 0
        # They are no strangers to who answers there.
        assert not [line for line in b.lines if "service manager" in line]
