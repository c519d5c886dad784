# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Datagrams are steered to workers by their source.

So a worker that is taken over is not believed about sources that cannot have
reached it, and those that are not are never suspected.
"""

import select
import socket
import struct

from beacon import Beacon, wait_for
from client import login, relay
from netns import in_own_network, ip
from puppet import P, Staged, Steering
from test_hostile import Theatre, endpoint, leave, sync, wait_killed
from test_takeover import shut_all, spoil
from test_service import Activated, all_are_answered, udp_group
from udp import Udp, command, node_of, udp_of
from udp import sync as sync_packet

PEERS = ["127.0.0.%d" % i for i in range(40, 80)]
NO_REACH = "endpoint that cannot reach it"
NO_SYNC = "sync from who cannot reach it"
NOT_STEERED = r"datagrams are not steered by their source"


def mapped(host):
    return bytes(10) + b"\xff\xff" + socket.inet_aton(host)


def discover(sock, b, node):
    """By a plain socket; the answer is the beacon's word that it is noted."""
    sock.sendto(struct.pack(">BI", 1, node), ("127.0.0.1", b.udp_port))
    got = sock.recv(100)
    assert got == command(2, *sock.getsockname()), got


def misdirected(b):
    return b.metric("udp_misdirected")


# A worker that is taken over

def test_endpoint_that_cannot_have_reached_the_worker():
    """Neither a move nor a new one is taken."""
    with Theatre(3, udp=True) as (b, puppets):
        steering = Steering(puppets[0])
        with steering.socket_of([3, 4]) as node, \
                steering.socket_of([1]) as other:
            discover(node, b, 5555)
            puppets[0].raw(endpoint(5555, port=other.getsockname()[1]))
            wait_killed(b, "worker[0]", puppets[0], NO_REACH)
            # Not even what is so, for it cannot know.
            puppets[1].raw(endpoint(5555, port=node.getsockname()[1]))
            wait_killed(b, "worker[1]", puppets[1], NO_REACH)
            far = next(port for port in range(1, 100)
                if steering.worker("192.0.2.1", port) != 2)
            puppets[2].raw(endpoint(6666, addr=mapped("192.0.2.1"), port=far))
            wait_killed(b, "worker[2]", puppets[2], NO_REACH)
            assert udp_of(b, 5555) == "%s:%d" % node.getsockname()
            assert node_of(b, 6666) is None
            # What could have reached it is its own to say.
            for puppet in puppets:
                b.wait_new("worker", puppet.pid, puppet.number)
            discover(other, b, 7777)
            assert udp_of(b, 7777) == "%s:%d" % other.getsockname()


def test_sync_that_cannot_have_reached_the_worker():
    """An empty one in a peer's name takes none of its routes."""
    conf = "beacon id 1" + "".join("\npeer beacon %s port 4001" % peer
        for peer in PEERS)
    with Theatre(3, udp=True, conf=conf) as (b, puppets), \
            login(b, 30) as client:
        steering = Steering(puppets[0])
        host = next(p for p in PEERS if steering.worker(p) in (3, 4))
        with Udp(b.udp_port, host=host) as peer:
            peer.send(sync_packet(2, [100, 101]))
            wait_for(lambda: node_of(b, 101))
            before = b.ctl("show", "beacons")
            forgeries = [sync(addr=mapped(host), port=peer.port),
                # A port of its own making, which the worker could reach it by.
                sync([100, 101], addr=mapped(host), port=next(port
                    for port in range(1, 100)
                    if steering.worker(host, port) == 1)),
                sync([100], addr=mapped(host), port=4001, last=0)]
            for puppet, forgery in zip(puppets, forgeries):
                puppet.raw(forgery)
                wait_killed(b, "worker[%d]" % puppet.number, puppet, NO_SYNC)
                b.wait_new("worker", puppet.pid, puppet.number)
            assert b.ctl("show", "beacons") == before
            client.send_to(101, b"still there")
            got = peer.recv_packet()
            while got[0] == 7:
                got = peer.recv_packet()
            assert got == relay(30, 101, b"still there"), got


# Those that are not

def test_honest_workers_hear_what_is_for_them():
    """Many ports of one address come to all of them, and are all taken."""
    with Beacon("source packet limit 0", udp=True, workers=4) as b:
        all_are_answered(b, 200)
        assert misdirected(b) == 0
        assert not [line for line in b.lines if "steered" in line]


def test_syncs_from_all_ports_of_a_peer():
    conf = "beacon id 1" + "".join("\npeer beacon %s port 4001" % peer
        for peer in PEERS[:10])
    with Beacon(conf, udp=True, workers=4) as b:
        for i, host in enumerate(PEERS[:10]):
            for port in range(4):
                with Udp(b.udp_port, host=host) as peer:
                    node = 100 + 4 * i + port
                    peer.send(sync_packet(2, [node]))
                    wait_for(lambda: node_of(b, node))
        assert misdirected(b) == 0


def test_broadcast_comes_to_all_and_makes_nobody_a_liar():
    """One worker speaks of its source; the others know that it is not theirs.
    """
    conf = "beacon id 1\npeer beacon %s port 4001" % PEERS[0]
    with Beacon(conf + "\nlisten udp on 0.0.0.0 port 0", workers=4) as b, \
            Udp(b.udp_port, host=PEERS[0], to="127.255.255.255") as u:
        u.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        u.send(sync_packet(2, [100]))
        wait_for(lambda: node_of(b, 100))
        wait_for(lambda: misdirected(b) == 3)
        assert b.metric("udp_in", type="sync") == 1
        # Whoever hears this when it is noted already need not speak of it.
        u.send(struct.pack(">BI", 1, 9))
        wait_for(lambda: udp_of(b, 9))
        wait_for(lambda: b.metric("udp_packets") == 8)


@in_own_network
def test_fragments_come_where_the_whole_would():
    ip("link set lo mtu 1500 up")
    with Beacon(udp=True, workers=4) as b:
        for node in range(100, 200):
            with Udp(b.udp_port, node) as u:
                u.discover(key=bytes(6000))
        assert misdirected(b) == 0


def test_ipv6_and_ipv4_by_one_socket():
    with Beacon("listen udp on * port 0", workers=4) as b:
        for node in range(100, 200):
            host = "::1" if node % 2 else "127.0.0.1"
            with Udp(b.udp_port, node, host=host) as u:
                u.discover()
        assert misdirected(b) == 0


def test_sockets_that_a_predecessor_has_steered():
    """By another key, and for other workers."""
    sockets, conf = udp_group(4)
    b = Activated(sockets, conf=conf, workers=4, listen=False,
        unprivileged=True)
    with b:
        for workers in (2, 3):
            all_are_answered(b, 100)
            b.stop()
            b.write_conf(conf, workers, listen=False)
            b.start()
        all_are_answered(b, 100)
        assert misdirected(b) == 0
        assert not [line for line in b.lines if "steered" in line]


def test_sockets_in_another_order_are_not_steered():
    """It is said, and everything else is as it should be."""
    sockets, conf = udp_group(3)
    with Activated(sockets[1:] + sockets[:1], conf=conf, workers=3,
            listen=False, unprivileged=True) as b:
        b.wait_line(NOT_STEERED + r" \(a datagram did not come where it "
            r"should\), so any worker's word about any source is taken$")
        all_are_answered(b, 100)
        assert misdirected(b) == 0


class StagedActivated(Activated, Staged):
    pass


def test_replaced_socket_takes_the_old_ones_place():
    with Theatre(2, udp=True, security="killed$|mended$") as (b, puppets):
        for puppet in reversed(puppets):
            spoil(puppet, P.PW_UDP, shut_all, None)
            leave(b, puppet)
        b.wait_metric(2, "sockets_mended")
        all_are_answered(b, 200)
        assert misdirected(b) == 0
        assert not [line for line in b.lines if "steered" in line]


def test_lost_socket_ends_the_steering():
    """Nobody is accused because the kernel counts the others anew."""
    sockets, conf = udp_group(3)
    with StagedActivated(sockets, conf=conf, workers=3, listen=False,
            places=lambda role, number, epoch: number == 0 and epoch == 1,
            unprivileged=True, security="killed$|socket unit: ") as b:
        puppet = b.puppet()
        spoil(puppet, P.PW_UDP, shut_all, None)
        leave(b, puppet)
        b.wait_line(NOT_STEERED + " any more, so any worker's word about any "
            "source is taken$")
        # What still comes to the lost one, which the service manager has too,
        # is lost.
        answered = 0
        for node in range(100, 200):
            with Udp(b.udp_port, node) as u:
                u.send(struct.pack(">BI", 1, node))
                answered += bool(select.select([u.sock], [], [], 0.05)[0])
        assert 30 < answered < 100, answered
        assert misdirected(b) == 0
        assert len([line for line in b.lines if "security:" in line]) == 2


def test_without_steering_any_worker_is_believed():
    with Theatre(1) as (b, (puppet,)):
        # There is no listener, so nothing that could be steered.
        assert not Steering(puppet).on
        puppet.raw(endpoint(5555))
        wait_for(lambda: udp_of(b, 5555))
        leave(b, puppet)
