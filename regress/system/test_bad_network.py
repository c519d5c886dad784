# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Networks that lose, double, reorder, delay, break off.

A session stays, and all that it was sent comes, in order, unchanged; datagrams
are lost where the network loses them and nowhere else.  BAD_NETWORK=all (make
check-network) tries more and longer.
"""

import os
import socket
import struct
import threading
import time

from bad_link import BadLink
from beacon import Beacon, limit, wait_for
from client import PING, Client, Ended, deliver, frame, login, relay
from netns import HostedBeacon, in_own_network, ip, new_namespace
from udp import Udp

ALL = os.environ.get("BAD_NETWORK") == "all"
CONF = "source packet limit 0\nsource upgrade limit 0"
SIZES = (40, 1, 1200, 200)
PATIENCE = 60.0

# What the link does; how many packets each peer sends; whether in `make test`.
CASES = {
    "loss_of_1_percent": (dict(loss=0.01), 300, False),
    "loss_of_5_percent": (dict(loss=0.05), 300, False),
    "loss_of_10_percent": (dict(loss=0.1), 200, False),
    "reordering": (dict(reorder=0.3), 300, False),
    "doubling": (dict(double=0.3), 300, False),
    "delay_of_300_ms": (dict(delay=0.3), 100, False),
    "64_kbit": (dict(rate=64000), 40, False),
    "mtu_of_1280": (dict(mtu=1280), 300, False),
    "all_of_it": (dict(loss=0.03, reorder=0.3, double=0.3, delay=0.03,
        mtu=1280), 100, True),
}


class Far(HostedBeacon):
    """A beacon at the other end of a bad link."""

    def __init__(self, network, conf=CONF):
        super().__init__(network, 1, conf)
        self.link = network.link

    def start(self, *args):
        super().start(*args)
        self.udp_port = self.UDP_PORT


class Line:
    """What HostedBeacon wants of a network: one host, one link to it."""

    def __init__(self, **how):
        ip("link set lo up")
        self.namespace = new_namespace()
        ip("link set lo up", prefix=self.enter(1))
        self.link = BadLink(self.namespace, self.enter(1), **how)

    def address(self, _):
        return BadLink.INSIDE

    def enter(self, _):
        return ["nsenter", "--net=/proc/%d/fd/%d" % (os.getpid(),
            self.namespace)]


def payload(node, i):
    return struct.pack(">II", node, i) + bytes([i % 251]) * SIZES[i % 4]


class FarClient(Client):
    """Who is at the end of such a line waits longer."""

    def __init__(self, node):
        super().__init__(Far.WS_PORT, host=BadLink.INSIDE)
        self.login(node)


def send_all(client, dest, count):
    for i in range(count):
        client.send_to(dest, payload(client.node, i))
        time.sleep(0.001)


def talk(clients, count):
    """Each sends to the next one; all must come, in order, unchanged."""
    threads = []
    for i, client in enumerate(clients):
        dest = clients[(i + 1) % len(clients)].node
        threads.append(threading.Thread(target=send_all, args=(client, dest,
            count)))
        threads[-1].start()
    for i, client in enumerate(clients):
        sender = clients[i - 1].node
        for n in range(count):
            client.expect_from(sender, payload(sender, n), PATIENCE)
    for thread in threads:
        thread.join()


def join(u, beacon):
    """A Discover, again until it is answered."""
    u.sock.settimeout(1)
    for _ in range(30):
        u.send(struct.pack(">BI", 1, u.node))
        try:
            u.sock.recv(100)
            break
        except TimeoutError:
            continue
    wait_for(lambda: any(n["node"] == u.node and n["udp"]
        for n in beacon.ctl("show", "nodes")), 10)


def datagrams(beacon, link, count):
    """Two nodes send to each other; the network's losses are all that is."""
    one, two = (Udp(Far.UDP_PORT, node, host=link.OUTSIDE, to=link.INSIDE)
        for node in (21, 22))
    with one, two:
        for u in (one, two):
            join(u, beacon)
        lost, doubled = link.lost, link.doubled
        for i in range(count):
            for u, other in ((one, two), (two, one)):
                u.send_to(other.node, payload(u.node, i))
            time.sleep(0.002)
        got = [came(one, two, count), came(two, one, count)]
        lost, doubled = link.lost - lost, link.doubled - doubled
        total = sum(map(len, got))
        twice = total - sum(len(set(g)) for g in got)
        print("datagrams: %d sent, %d came, %d lost, %d doubled by the network"
            % (2 * count, total, lost, doubled))
        assert 2 * count - lost <= total - twice, (total, twice, lost)
        assert total <= 2 * count + 2 * doubled


def came(u, sender, count):
    """Which numbers of the sender's came, each whole, until all is quiet."""
    got = []
    try:
        while True:
            packet = u.recv_packet(1)
            if packet[0] == 2:      # the answer to a Discover, late
                continue
            i, = struct.unpack(">I", packet[9:13])
            assert packet == deliver(sender.node, payload(sender.node, i))
            got.append(i)
    except TimeoutError:
        pass
    return got


def over_bad_link(how, count):
    line = Line(**how)
    with line.link, Far(line) as b:
        clients = [FarClient(node) for node in (1, 2, 3)]
        talk(clients, count)
        datagrams(b, line.link, count)
        # Nobody has noticed more of it than that it took longer.
        generations = [p["generation"] for p in b.peers()]
        for client in clients:
            client.send(frame(PING, b"still"))
            client.close()
        assert len(generations) == 3
        assert b.metric("connections_total", outcome="auth_ok") == 3
        assert sum(v for k, v in b.metrics().items() if "drops" in k) == 0


def made(name, do, *of):
    def test():
        do(*of)
    test.__name__ = "test_" + name
    return limit(180)(in_own_network(test))


for _name, (_how, _count, _usual) in CASES.items():
    if ALL or _usual:
        globals()["test_" + _name] = made(_name, over_bad_link, _how,
            _count if ALL else 60)


def a_line_that_is_dead_for_a_while():
    """Shorter than the timeouts: nothing happens; longer: all is ended."""
    line = Line()
    with line.link, Far(line, CONF + "\nidle timeout 4\nping interval 1") as b:
        clients = [FarClient(node) for node in (1, 2)]
        line.link.loss = 1
        clients[0].send_to(2, b"in the dark")
        time.sleep(1.5)
        line.link.loss = 0
        clients[1].expect_from(1, b"in the dark", 20)
        clients[0].in_step()
        line.link.loss = 1
        b.wait_peers(0, 15)
        line.link.loss = 0
        for node in (1, 2):
            with FarClient(node) as again:
                again.in_step()


if ALL:
    test_dead_for_a_while = made("dead_for_a_while",
        a_line_that_is_dead_for_a_while)


class Box:
    """Hands TCP on, and resets every connection of both sides when told to."""

    def __init__(self, port):
        self.to = port
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            self.pairs.append((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=pair,
                    daemon=True).start()

    def copy(self, source, to):
        try:
            while data := source.recv(1000):    # parts of frames
                to.sendall(data)
        except OSError:
            pass

    def reset(self):
        pairs, self.pairs = self.pairs, []
        for sock in sum(pairs, ()):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RD)       # wakes who reads from it
            sock.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@limit(60)
def test_connections_that_a_box_in_the_middle_resets():
    """In the middle of frames; who goes another way does not notice."""
    with Beacon(CONF) as b, login(b, 1) as one, login(b, 2) as two:
        box = Box(b.port)
        for round_ in range(20 if ALL else 4):
            through = [Client(box.port).login(node) for node in range(3, 9)]
            for i, client in enumerate(through):
                client.send_to(1, payload(client.node, round_))
                # The beginning of another, which never ends.
                client.send(frame(2, relay(client.node, 1,
                    bytes(5000)))[:1 + 700 * i])
                one.send_to(client.node, payload(1, round_))
            got = {one.recv_packet() for _ in through}
            assert got == {deliver(c.node, payload(c.node, round_))
                for c in through}
            box.reset()
            for i in range(50):
                two.send_to(1, payload(2, i))
                one.expect_from(2, payload(2, i))
            for client in through:
                ended(client)
            b.wait_peers(2)
        box.close()


def ended(client):
    try:
        while True:
            client.more(5)
    except Ended:
        client.close()
