# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Beacons on hosts of their own, as a mesh."""

import queue
import socket
import struct
import threading
import time

from beacon import limit, wait_for
from client import Client, relay
from netns import HostedBeacon, Network, in_own_network
from udp import Udp, discover_many, end_of, node_of, sync

NODES = "10.99.0.254"       # where nodes are
MANY = ["10.99.0.%d" % i for i in range(240, 250)]
STRANGE = "10.99.0.253"     # where a beacon that is not ours is
ROUND = 10                  # seconds from one Sync to the next
EXPIRY = 90


class Ex(Udp):
    """A node that sends DiscoverEx, and so gets RelayDeliverDest."""

    def expect_from(self, sender, payload, bound=5.0):
        self.expect(struct.pack(">BII", 9, sender, self.node) + payload,
            bound)


class Mesh:
    """Each beacon has a node of each transport."""

    def __init__(self):
        self.network = Network(3, [NODES])
        self.beacons = {}
        self.ends = {}

    def start(self, i):
        b = HostedBeacon(self.network, i, "idle timeout 600",
            [self.network.address(j) for j in (1, 2, 3) if j != i])
        self.beacons[i] = b
        b.start()
        at = dict(host=NODES, to=b.host)
        self.ends[i] = [Client(b.port, host=b.host).login(i),
            Udp(b.udp_port, 10 + i, **at).join(b),
            Ex(b.udp_port, 20 + i, **at).join(b, ex=True)]

    def kill(self, i):
        b = self.beacons.pop(i)
        b.note_children()
        b.proc.kill()
        b.proc.wait()
        b.check_no_process()
        b.clean_up()
        for end in self.ends.pop(i):
            end.close()

    def settle(self):
        """Waits until every beacon knows where every node is."""
        nodes = {end.node for ends in self.ends.values() for end in ends}
        for b in self.beacons.values():
            wait_for(lambda: known(b) >= nodes, 2 * ROUND + 5, "gossip")

    def time_to_forget(self, nodes):
        """Seconds from now until each beacon has no route to the nodes."""
        start = time.monotonic()
        took = {}

        def all_forgot():
            time.sleep(0.2)     # it takes long; be gentle with the machine
            for i, b in self.beacons.items():
                if i not in took and not known(b) & nodes:
                    took[i] = time.monotonic() - start
            return len(took) == len(self.beacons)
        wait_for(all_forgot, EXPIRY + 20, "the routes to vanish")
        return took.values()

    def all_reach_all(self):
        ends = [end for ends in self.ends.values() for end in ends]
        for one in ends:
            for two in ends:
                payload = b"%d to %d" % (one.node, two.node)
                one.send_to(two.node, payload)
                two.expect_from(one.node, payload)

    def close(self):
        for b in self.beacons.values():
            b.clean_up()


def known(b):
    return {n["node"] for n in b.ctl("show", "nodes")}


@limit(240)
@in_own_network
def test_mesh_of_three_hosts():
    mesh = Mesh()
    try:
        for i in (1, 2, 3):
            mesh.start(i)
        mesh.settle()
        mesh.all_reach_all()
        lost = {end.node for end in mesh.ends[2]}
        mesh.kill(2)
        took = mesh.time_to_forget(lost)
        assert min(took) > EXPIRY - ROUND - 2, took
        assert max(took) < EXPIRY + 10, took
        mesh.all_reach_all()
        mesh.ends[1][0].send_to(2, b"nobody there")
        mesh.beacons[1].wait_metric(1, "drops", reason="not_found")
        mesh.start(2)
        mesh.settle()
        mesh.all_reach_all()
        for b in mesh.beacons.values():
            b.stop()
            b.check_log()
    finally:
        mesh.close()


class OtherBeacon(threading.Thread):
    """Does with gossip what the Go beacon does: each Sync is the whole truth
    about the address and port that it came from."""

    def __init__(self, never_lost):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((STRANGE, HostedBeacon.UDP_PORT))
        self.told = {}          # (address, port): nodes
        self.heard = {}         # the same: how often
        self.relayed = queue.Queue()
        self.never_lost = never_lost
        self.had_them = False
        self.bad = None
        self.start()

    def run(self):
        while True:
            data, source = self.sock.recvfrom(65536)
            if data[0] == 5:
                self.relayed.put(data)
                continue
            count, = struct.unpack_from(">H", data, 5)
            if len(data) != 7 + 4 * count or count > 16374:
                self.bad = "%d nodes in %d bytes" % (count, len(data))
            self.take(source, struct.unpack_from(">%dI" % count, data, 7))

    def take(self, source, nodes):
        self.told = {**self.told, source: set(nodes)}
        self.heard[source] = self.heard.get(source, 0) + 1
        has_them = self.never_lost <= self.known()
        if self.had_them and not has_them:
            self.bad = "nodes were without a route for a while"
        self.had_them |= has_them

    def known(self):
        return set().union(*self.told.values())

    def announce(self, b, node):
        """Tells b of a node of ours, which lasts for 90 s."""
        self.sock.sendto(sync(3, [node]), (b.host, b.udp_port))
        wait_for(lambda: (node_of(b, node) or {}).get("beacon"), 5,
            "node %d" % node)


def discover_all(b, ends, nodes):
    """Those of `ends` are all those nodes at once."""
    before = b.ctl("show", "summary")["nodes"]

    def all_there():
        return b.ctl("show", "summary")["nodes"] == before + len(nodes)
    while True:
        discover_many(ends, sorted(set(nodes) - known(b)))
        try:
            return wait_for(all_there, 3)
        except AssertionError:
            pass    # one was not noted; it comes again


def relays_pass_both_ways(ends, v, other, salt):
    """Between a node of each share, one at another beacond, and one of a
    beacon that is not ours."""
    for i, (source, nodes) in enumerate(sorted(other.told.items())):
        u = end_of(ends, min(nodes))
        u.node = min(nodes)
        payload = b"%s %d" % (salt, i)
        v.send_to(u.node, b"to " + payload)
        u.expect_from(v.node, b"to " + payload)
        u.send_to(v.node, b"from " + payload)
        v.expect_from(u.node, b"from " + payload)
        other.sock.sendto(relay(9000, u.node, payload), source)
        u.expect_from(9000, payload)
        u.send_to(9000, payload)
        assert other.relayed.get(timeout=20) == relay(u.node, 9000, payload)


@limit(180)
@in_own_network
def test_100000_nodes():
    network = Network(2, [NODES, STRANGE] + MANY)
    few = list(range(100000, 110000))
    most = list(range(110000, 200000))
    other = OtherBeacon(set(few))
    conf = "source packet limit 0\nsource exempt 10.99.0.240/28"
    with HostedBeacon(network, 1, conf,
            [network.address(2), STRANGE]) as a, \
            HostedBeacon(network, 2, "", [network.address(1)]) as b, \
            Udp(b.udp_port, 7, NODES, b.host) as v:
        ends = [Udp(a.udp_port, host=host, to=a.host) for host in MANY]
        v.join(b)
        other.announce(a, 9000)
        discover_all(a, ends, few)
        wait_for(lambda: other.known() >= set(few), 2 * ROUND + 5)
        # More ports are needed now; nodes move, none is ever left out.
        discover_all(a, ends, most)
        everybody = set(few + most)
        wait_for(lambda: other.known() >= everybody, 3 * ROUND, "gossip")
        wait_for(lambda: b.ctl("show", "summary")["nodes"] ==
            len(everybody) + 1, 2 * ROUND, "gossip")
        wait_for(lambda: sum(map(len, other.told.values())) ==
            len(everybody), 2 * ROUND, "each node to be told once")
        assert known(b) == everybody | {7}
        assert {host for host, _ in other.told} == {a.host}
        assert (a.host, a.udp_port) in other.told
        assert len(other.told) > len(everybody) // 16374
        # For a slow machine all this has taken longer than it lasts.
        other.announce(a, 9000)
        relays_pass_both_ways(ends, v, other, b"first")
        # The ports outlive the worker that has them.
        ports, before = set(other.told), dict(other.heard)
        a.wait_new("worker", a.kill("worker"))
        wait_for(lambda: all(other.heard[p] > n for p, n in before.items()),
            2 * ROUND + 5, "gossip of the new worker")
        assert set(other.told) == ports
        other.announce(a, 9000)
        relays_pass_both_ways(ends, v, other, b"again")
        assert other.bad is None, other.bad
        for end in ends:
            end.close()
