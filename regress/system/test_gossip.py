# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Beacons among themselves."""

import struct
import time

from beacon import Beacon, limit, wait_for
from client import login, relay
from udp import Udp, discover_many, node_of, sync


def gossip_peer(host="127.0.0.40"):
    """A socket that stands for another beacon; its configuration."""
    peer = Udp(0, host=host)
    return peer, ("beacon id 1\npeer beacon %s port %d" %
        (peer.host, peer.port))


def learned(b, node):
    got = node_of(b, node)
    return got and got["beacon"]


def test_node_of_a_peer_beacon_is_reached_through_it():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b, login(b, 1) as w, \
            Udp(b.udp_port, 5) as u:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100, 101]))
        wait_for(lambda: learned(b, 101))
        for source in (w, u):
            source.node = source.node or 5
            source.send_to(100, b"far away")
            want = relay(source.node, 100, b"far away")
            got = peer.recv_packet()
            while got[0] == 7:
                got = peer.recv_packet()
            assert got == want, got
        assert b.metric("relay_beacon") == 2
    peer.close()


def test_relay_from_a_peer_beacon_is_delivered():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b, login(b, 1) as w:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(relay(100, 1, b"from far away"))
        w.expect_from(100, b"from far away")
    peer.close()


def test_sync_replaces_all_that_was_learned_from_its_source():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100, 101]))
        wait_for(lambda: learned(b, 100) and learned(b, 101))
        peer.send(sync(2, [101, 102]))
        wait_for(lambda: learned(b, 102))
        assert learned(b, 101)
        assert not learned(b, 100)
        # Two a second are taken of one source.
        wait_for(lambda: (peer.send(sync(2, [])), b.ctl("show", "nodes")) ==
            (None, []))
    peer.close()


def test_sync_from_a_stranger_is_ignored():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b, \
            Udp(b.udp_port, host="127.0.0.66") as stranger:
        stranger.send(sync(2, [100]))
        b.wait_metric(1, "sync_refused", reason="stranger")
        assert not learned(b, 100)
    peer.close()


def test_sync_from_anybody_can_be_accepted():
    with Beacon("beacon id 1\naccept gossip from any", udp=True) as b, \
            Udp(b.udp_port, host="127.0.0.66") as stranger:
        stranger.send(sync(2, [100]))
        wait_for(lambda: learned(b, 100))


def test_malformed_sync_changes_nothing():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100]))
        wait_for(lambda: learned(b, 100))
        good = sync(2, [200, 201])
        for bad in (good[:-1], good[:7], good[:6],
                struct.pack(">BIH", 7, 2, 65535)):
            peer.send(bad)
        wait_for(lambda: b.metric("sync_refused", reason="malformed") +
            b.metric("drops", reason="short") >= 4)
        assert learned(b, 100) and not learned(b, 200)
    peer.close()


def test_bytes_behind_the_last_id_of_a_sync_are_ignored():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        # As of a later version: one id more than counted, and half of one.
        peer.send(sync(2, [100, 101]) + struct.pack(">I", 102) + b"xy")
        wait_for(lambda: learned(b, 101))
        assert learned(b, 100) and not learned(b, 102)
        assert b.metric("sync_refused", reason="malformed") == 0
    peer.close()


def test_gossip_never_displaces_who_is_connected_here():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b, login(b, 1) as w, \
            Udp(b.udp_port, 5) as u, Udp(b.udp_port, 9) as source:
        u.join(b)
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [1, 5, 100]))
        wait_for(lambda: learned(b, 100))
        source.send_to(1, b"x")
        w.expect_from(9, b"x")
        source.send_to(5, b"y")
        u.expect_from(9, b"y")
    peer.close()


def test_two_syncs_a_second_are_taken_of_one_source():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True, workers=1) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        for _ in range(20):
            peer.send(sync(2, [100]))
        wait_for(lambda: b.metric("udp_packets") == 20)
        # The second may have changed meanwhile.
        assert b.metric("drops", reason="rate") >= 14
    peer.close()


def test_sync_of_the_largest_size():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        nodes = list(range(1000, 1000 + 16374))
        peer.send(sync(2, nodes))
        wait_for(lambda: len(b.ctl("show", "nodes")) == len(nodes))
    peer.close()


@limit(120)
def test_100000_nodes_from_a_peer_beacon():
    """By several ports, each of which answers for its share."""
    peer, conf = gossip_peer()
    ports = [peer] + [Udp(0, host=peer.host) for _ in range(6)]
    nodes = list(range(1000, 101000))
    with Beacon(conf, udp=True) as b, login(b, 1) as w:
        for i, port in enumerate(ports):
            port.to = ("127.0.0.1", b.udp_port)
            port.send(sync(2, nodes[i * 16000:(i + 1) * 16000]))
        wait_for(lambda: b.ctl("show", "summary")["nodes"] == 100001, 20)
        for i, port in enumerate(ports):
            dest = nodes[i * 16000]
            w.send_to(dest, b"x")
            got = port.recv_packet()
            while got[0] == 7:
                got = port.recv_packet()
            assert got == relay(1, dest, b"x"), got[:20]
    for port in ports:
        port.close()


@limit(120)
def test_100000_own_nodes_are_told():
    """No datagram has more than a Go beacon can take, and none is missing."""
    peer, conf = gossip_peer()
    nodes = set(range(1000, 101000))
    with Beacon(conf + "\nsource packet limit 0\nsource node limit 0",
            udp=True) as b:
        ends = [Udp(b.udp_port, host="127.0.0.%d" % (50 + i))
            for i in range(10)]
        missing = sorted(nodes)
        while missing:
            discover_many(ends, missing)
            missing = sorted(nodes - {n["node"]
                for n in b.ctl("show", "nodes")})
        told = {}
        while len(set().union(*told.values())) < len(nodes):
            peer.sock.settimeout(25)
            data, source = peer.sock.recvfrom(65536)
            count, = struct.unpack_from(">H", data, 5)
            assert count <= 16374 and len(data) == 7 + 4 * count
            told[source] = set(struct.unpack_from(">%dI" % count, data, 7))
        assert set().union(*told.values()) == nodes
        assert sum(map(len, told.values())) == len(nodes), "told twice"
        assert ("127.0.0.1", b.udp_port) in told
        # A new worker 0 has the further ports as well.
        b.ctl("drain", 0, text=True)
        old = set(told)
        before = time.monotonic()
        while old:
            data, source = peer.sock.recvfrom(65536)
            if time.monotonic() > before + 1:
                old.discard(source)
    for end in ends:
        end.close()
    peer.close()


def test_own_nodes_of_both_transports_are_told():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b, login(b, 1), Udp(b.udp_port, 5) as u:
        u.join(b)
        want = sync(1, [1, 5])

        def told():
            got = peer.recv_packet(12)
            count = (len(got) - 7) // 4
            return sorted(struct.unpack_from(">%dI" % count, got, 7)) == \
                [1, 5] and got[:7] == want[:7]
        wait_for(told, 25)
        # It comes from the listening port.
        peer.sock.settimeout(12)
        assert peer.sock.recvfrom(65536)[1] == ("127.0.0.1", b.udp_port)
    peer.close()


def test_unknown_nodes_go_to_the_default_beacon():
    peer = Udp(0, host="127.0.0.40")
    with Beacon("default beacon 127.0.0.40 port %d" % peer.port,
            udp=True) as b, login(b, 1) as w:
        w.send_to(4711, b"who knows")
        assert peer.recv_packet() == relay(1, 4711, b"who knows")
    peer.close()


def test_packet_of_the_default_beacon_does_not_go_back():
    """Else an unknown node would be passed to and fro for ever."""
    peer = Udp(0, host="127.0.0.40")
    with Beacon("default beacon 127.0.0.40 port %d" % peer.port,
            udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(relay(9, 4711, b"x"))
        b.wait_metric(1, "drops", reason="not_found")
        peer.expect_silence()
    peer.close()


def test_reload_of_the_beacons():
    peer, conf = gossip_peer()
    default = Udp(0, host="127.0.0.41")
    with Beacon(udp=True, workers=1) as b, login(b, 1) as w:
        b.write_conf(conf + "\ndefault beacon 127.0.0.41 port %d" %
            default.port, 1, udp=True)
        b.ctl("reload", text=True)
        peer.to = ("127.0.0.1", b.udp_port)
        wait_for(lambda: (peer.send(sync(2, [100])), learned(b, 100))[1])
        w.send_to(4711, b"who knows")
        assert default.recv_packet() == relay(1, 4711, b"who knows")
        b.write_conf("", 1, udp=True)
        b.ctl("reload", text=True)
        assert not learned(b, 100)
        wait_for(lambda: (w.send_to(4711, b"nobody"),
            b.metric("drops", reason="not_found"))[1])
    default.close()
    peer.close()


def test_beacons_are_shown():
    peer, conf = gossip_peer()
    with Beacon(conf, udp=True) as b:
        got, = b.ctl("show", "beacons")
        assert got["address"] == "127.0.0.40:%d" % peer.port, got
        assert got["configured"] is True and got["heard"] == 0, got
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100, 101]))
        wait_for(lambda: b.ctl("show", "beacons")[0]["nodes"] == 2)
        got, = b.ctl("show", "beacons")
        assert got["id"] == 2 and got["heard"] > 0, got
    peer.close()
