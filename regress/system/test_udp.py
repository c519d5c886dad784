# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Nodes by UDP: discovery, the four cells of the relay, punching."""

import random
import select
import socket
import struct
import time

import keys
from beacon import Beacon, limit, wait_for
from client import (BINARY, PING, Client, deliver, frame, login,
    pair_on_workers, relay, request)
from netns import in_own_network, ip
from udp import Udp, command, node_of, sync, udp_of

# One that fits any transport, and what UDP alone can carry.
SMALL = [0, 1, 100, 1222, 1223, 4200, 16384, 32763]
LARGE = SMALL + [32764, 65498]


def body(size, salt=0):
    return bytes((i * 11 + salt + (i >> 8)) & 255 for i in range(size))


def both_ways(one, two, sizes):
    for size in sizes:
        one.send_to(two.node, body(size))
        two.expect_from(one.node, body(size))
        two.send_to(one.node, body(size, 1))
        one.expect_from(two.node, body(size, 1))


# Discover

def test_discover_tells_the_observed_source():
    with Beacon(udp=True) as b:
        for host in ("127.0.0.1", "127.0.0.77"):
            with Udp(b.udp_port, 5, host) as u:
                u.discover()


def test_discover_records_the_observed_source():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5, "127.0.0.77") as u:
        u.join(b)
        assert udp_of(b, 5) == "127.0.0.77:%d" % u.port


def test_discover_with_a_key():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5) as u:
        u.join(b, key=bytes(32))


def test_node_0_is_answered_and_not_remembered():
    with Beacon(udp=True) as b, Udp(b.udp_port, 0) as u:
        u.discover()
        u.discover(ex=True)
        assert b.ctl("show", "nodes") == []


def test_discover_on_ipv6():
    with Beacon("listen udp on ::1 port 0") as b:
        with Udp(b.udp_port, 5, "::1") as u, \
                Udp(b.udp_port, 6, "::1") as v:
            both_ways(u.join(b), v.join(b), SMALL)


def test_dual_stack_socket_answers_ipv4_with_4_bytes():
    with Beacon("listen udp on :: port 0") as b:
        with Udp(b.udp_port, 5) as four, \
                Udp(b.udp_port, 6, "::1") as six:
            both_ways(four.join(b), six.join(b), SMALL)
            assert udp_of(b, 5) == "127.0.0.1:%d" % four.port


def test_whoever_is_answered_can_be_reached():
    """Whatever worker the packet comes to, and at once."""
    with Beacon("source packet limit 0", udp=True, workers=4) as b:
        senders = [Udp(b.udp_port, 1000 + i) for i in range(16)]
        for node in range(1, 101):
            with Udp(b.udp_port, node) as u:
                u.discover()
                for v in senders:
                    v.send_to(node, b"x")
                assert sorted(u.recv_packet() for _ in senders) == [
                    deliver(v.node, b"x") for v in senders]
        assert b.metric("drops", reason="not_found") == 0
        for v in senders:
            v.close()


def test_discover_by_websocket_tells_the_clients_address():
    with Beacon(udp=True) as b, login(b, 1) as client:
        host, port = client.sock.getsockname()
        for kind in (1, 8):
            client.send_packet(struct.pack(">BI", kind, 1))
            got = client.recv_packet()
            assert got == command(2, host, port), got
        assert udp_of(b, 1) is None


def test_discover_by_websocket_tells_what_the_proxy_reported():
    with Beacon(udp=True) as b, Client(b.port) as client:
        client.send(request(X_Forwarded_For="198.51.100.7"))
        client.answer()
        client.send_text(client.reply(1, client.challenge()))
        client.expect(1)
        client.send_packet(struct.pack(">BI", 1, 1))
        got = client.recv_packet()
        assert got[:6] == command(2, "198.51.100.7", 0)[:6], got
        assert b.ctl("show", "peer", 1)["address"] == "198.51.100.7"
        assert " 198.51.100.7" in b.ctl("show", "peer", 1, text=True)


def test_endpoint_cannot_be_taken_over_within_30_s():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 5) as thief, \
                Udp(b.udp_port, 6) as v:
            u.join(b)
            v.join(b)
            thief.discover()
            v.send_to(5, b"x")
            u.expect_from(6, b"x")
            thief.expect_silence()
            assert udp_of(b, 5) == "127.0.0.1:%d" % u.port
            wait_for(lambda: b.metric("endpoint_held") == 1)


@limit(90)
def test_endpoint_moves_after_30_s():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 5) as moved, \
                Udp(b.udp_port, 6) as v, Udp(b.udp_port, 6, "127.0.0.6") as w:
            u.join(b)
            v.join(b)
            time.sleep(31)
            # A PunchRequest moves it as well, and holds for itself already.
            w.punch(5)
            w.expect(command(4, "127.0.0.1", u.port))
            u.expect(command(4, "127.0.0.6", w.port))
            moved.discover()
            assert udp_of(b, 5) == "127.0.0.1:%d" % moved.port
            v.send_to(5, b"x")
            moved.expect_from(6, b"x")


# The four cells

def four_cells(workers):
    with Beacon("source packet limit 0", udp=True, workers=workers) as b:
        with Udp(b.udp_port, 11) as u, Udp(b.udp_port, 12) as v, \
                login(b, 1) as w, login(b, 2) as x:
            u.join(b)
            v.join(b)
            both_ways(u, v, LARGE)
            both_ways(w, x, SMALL)
            both_ways(u, w, SMALL)
            both_ways(x, v, SMALL)
            for source, dest, count in (("udp", "udp", 2 * len(LARGE)),
                    ("wss", "wss", 2 * len(SMALL)),
                    ("udp", "wss", 2 * len(SMALL)),
                    ("wss", "udp", 2 * len(SMALL))):
                b.wait_metric(count, "relay_bridge", src_transport=source,
                    dst_transport=dest)


def test_four_cells_with_one_worker():
    four_cells(1)


def test_four_cells_with_two_workers():
    four_cells(2)


def test_four_cells_with_four_workers():
    four_cells(4)


def test_websocket_comes_before_udp():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 1) as u, Udp(b.udp_port, 9) as v:
            u.join(b)
            with login(b, 1) as client:
                v.send_to(1, b"x")
                client.expect_from(9, b"x")
                u.expect_silence()
            b.wait_peers(0)
            v.send_to(1, b"y")
            u.expect_from(9, b"y")


def test_discover_ex_gets_the_destination_too():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
            u.join(b, ex=True)
            v.join(b)
            v.send_to(5, b"x")
            u.expect(struct.pack(">BII", 9, 6, 5) + b"x")
            u.send_to(6, b"y")
            v.expect_from(5, b"y")


def test_discover_ex_stays_though_a_discover_comes_later():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
            u.join(b, ex=True)
            v.join(b)
            for i in range(20):
                u.discover()
                v.send_to(5, b"%d" % i)
                u.expect(struct.pack(">BII", 9, 6, 5) + b"%d" % i)


def test_large_delivery_from_udp_to_websocket_is_dropped():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, login(b, 1) as client:
            u.send_to(1, body(32764))
            u.send_to(1, b"next")
            client.expect_from(5, b"next")
            b.wait_metric(1, "drops", reason="too_large")


def test_order_of_udp_flows_is_kept():
    with Beacon("source packet limit 0", udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v, \
                login(b, 1) as w:
            u.join(b)
            v.join(b)
            for first in range(0, 2000, 50):
                for i in range(first, first + 50):
                    u.send_to(6, b"%d" % i)
                    u.send_to(1, b"%d" % i)
                for i in range(first, first + 50):
                    v.expect_from(5, b"%d" % i)
                    w.expect_from(5, b"%d" % i)


def test_one_write_to_peers_of_every_kind():
    """Packets that leave in different ways do not get in each other's."""
    with Beacon("source packet limit 0", udp=True) as b:
        one, two, rest = pair_on_workers(b, False)
        node = 32
        three = login(b, node)
        while b.worker_of(node) == b.worker_of(one.node):
            rest.append(three)
            node -= 1
            three = login(b, node)
        with Udp(b.udp_port, 100) as u:
            u.join(b)
            ends = [two, u, two, three, two, two, u, three]
            sizes = [20, 400, 90, 3000, 500, 10, 30, 60]
            for turn in range(20):
                packets = [(end, body(size + turn, i + turn))
                    for i, (end, size) in enumerate(zip(ends, sizes))]
                one.sock.sendall(b"".join(
                    frame(BINARY, relay(one.node, end.node, payload),
                        mask=b"mask") for end, payload in packets * 4))
                for end, payload in packets * 4:
                    end.expect_from(one.node, payload)
        for client in [one, two, three] + rest:
            client.close()


def test_udp_cannot_speak_for_a_node_connected_by_websocket():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 1) as forger, login(b, 1), login(b, 2) as w:
            forger.send_to(2, b"forged")
            b.wait_metric(1, "drops", reason="sender")
            w.send_to(2, b"marker")
            w.expect_from(2, b"marker")


def test_unknown_destination_is_harmless():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5) as u:
        u.send_to(99, b"x")
        b.wait_metric(1, "drops", reason="not_found")
        u.discover()


def test_rotating_the_sender_does_not_dodge_the_budget():
    with Beacon("source packet limit 100", udp=True) as b:
        with Udp(b.udp_port, 5) as u, login(b, 1) as w:
            for i in range(1000):
                u.send(relay(1000 + i, 1, b"x"))
            wait_for(lambda: b.metric("udp_packets") == 1000)
            dropped = b.metric("drops", reason="rate")
            assert 700 <= dropped <= 950, dropped
            # Another source has its own.
            with Udp(b.udp_port, 6) as other:
                other.send_to(1, b"mine")
                while w.recv_packet() != deliver(6, b"mine"):
                    pass


def test_worker_restart_keeps_the_port_and_the_endpoints():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
            u.join(b)
            v.join(b)
            for worker in (0, 1):
                old = b.kill("worker", worker)
                b.wait_new("worker", old, worker)
            both_ways(u, v, [1, 1000])


def test_random_packets_change_nothing_but_counters():
    rng = random.Random(1)
    with Beacon("source packet limit 0", udp=True) as b:
        with Udp(b.udp_port, 5) as u, login(b, 1) as client:
            for i in range(3000):
                size = rng.choice((0, 1, 2, 5, 8, 9, 10, 37, 73, 81, 1400))
                # Discovers and PunchRequests would rightly be taken.
                data = bytes([rng.choice((2, 4, 5, 6, 7, 9, 10, 80, 255))
                    ]) + rng.randbytes(size)
                u.send(data)
                client.send_packet(data)
                if i % 100 == 99:
                    client.in_step()
            with Udp(b.udp_port, 6) as v:
                v.join(b)
                assert [n["node"] for n in b.ctl("show", "nodes")] == [1, 6]
            assert {p["node"] for p in b.peers()} == {1}
            assert all(c["restarts"] == 0 for c in b.children())


def test_short_datagrams_are_counted():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5) as u:
        for data in (b"", b"\x01", b"\x01\0\0\0", b"\x03\0\0\0\1\0\0\0",
                b"\x05\0\0\0\1\0\0\0", b"\x08\0\0\0"):
            u.send(data)
        b.wait_metric(6, "drops", reason="short")
        u.discover()


@in_own_network
def test_datagrams_from_port_0_are_dropped():
    """Raw sockets can send them; no answer would ever get there."""
    ip("link set lo up")
    with Beacon("accept gossip from any", workers=1, udp=True) as b, \
            login(b, 1) as client, socket.socket(socket.AF_INET,
                socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        kinds = [struct.pack(">BI", 1, 7), struct.pack(">BI", 8, 7),
            struct.pack(">BII", 3, 7, 8), relay(7, 1, b"x"), sync(3, [7])]
        for packet in kinds:
            raw.sendto(struct.pack(">HHHH", 0, b.udp_port, 8 + len(packet),
                0) + packet, ("127.0.0.1", 0))
        b.wait_metric(len(kinds), "drops", reason="sender")
        client.send_to(1, b"here")
        client.expect_from(1, b"here")
        assert all(c["restarts"] == 0 for c in b.children())
        assert node_of(b, 7) is None


# Punch

def test_punch_tells_each_the_others_address():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            v.join(b)
            u.join(b)
            u.punch(6)
            u.expect(command(4, "127.0.0.6", v.port))
            v.expect(command(4, "127.0.0.5", u.port))


def test_punch_of_an_unknown_node_sends_nothing():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5) as u:
        u.join(b)
        u.punch(99)
        b.wait_metric(1, "punch_refused", reason="unknown")
        u.expect_silence()


def expect_by_either(v, client, want):
    """By one of both; that the client is pinged says nothing."""
    while True:
        # What came with a ping is read already.
        if not client.buffer:
            ready, _, _ = select.select([v.sock, client.sock], [], [], 5)
            assert ready, "nobody is told"
            if v.sock in ready:
                v.expect(want)
                return
        opcode, data = client.next(ping=True)
        if opcode != PING:
            assert (opcode, data) == (BINARY, want)
            return


def test_punch_of_a_node_connected_by_websocket():
    """Whatever worker has the session: both are told."""
    with Beacon("punch source limit 0\npunch total limit 0", udp=True) as b:
        with Udp(b.udp_port, 1) as v:
            v.join(b)
            with login(b, 1) as client:
                for node in range(5, 17):
                    with Udp(b.udp_port, node) as u:
                        u.join(b)
                        u.punch(1)
                        u.expect(command(4, "127.0.0.1", v.port))
                        want = command(4, "127.0.0.1", u.port)
                        expect_by_either(v, client, want)


def test_punch_by_websocket_is_for_oneself_only():
    with Beacon(udp=True) as b, login(b, 1) as w, \
            Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
        u.join(b)
        v.join(b)
        w.send_packet(struct.pack(">BII", 3, 5, 6))
        b.wait_metric(1, "drops", reason="sender")
        u.expect_silence()
        v.expect_silence()


def test_punch_limit_per_source():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            u.join(b)
            v.join(b)
            for _ in range(5):
                u.punch(6)
            u.expect(command(4, "127.0.0.6", v.port))
            b.wait_metric(4, "punch_refused", reason="rate")
            u.expect_silence()


def test_punch_limit_exempts_configured_sources():
    with Beacon("punch exempt 127.0.0.5/32", udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            u.join(b)
            v.join(b)
            for _ in range(5):
                u.punch(6)
            for _ in range(5):
                u.expect(command(4, "127.0.0.6", v.port))


def test_reload_of_the_exempt():
    with Beacon(udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            u.join(b)
            v.join(b)
            b.write_conf("punch exempt 127.0.0.5/32", udp=True)
            b.ctl("reload", text=True)
            # The worker may not have heard of it by the first few.
            wait_for(lambda: burst_passes(u, v.port, 5))


def burst_passes(u, port, count):
    for _ in range(count):
        u.punch(6)
    try:
        for _ in range(count):
            u.expect(command(4, "127.0.0.6", port), 0.3)
    except TimeoutError:
        return False
    return True


def test_punch_limit_in_all():
    with Beacon("punch source limit 0\npunch total limit 4", udp=True,
            workers=1) as b:
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
            u.join(b)
            v.join(b)
            for _ in range(40):
                u.punch(6)
            wait_for(lambda: b.metric("punch_refused", reason="rate") >= 30)


def grant(requester, target, expiry, signer):
    text = b"punch-grant:%d:%d:%d" % (requester, target, expiry)
    return struct.pack(">Q", expiry) + keys.sign(signer, text)


def test_punch_grant_is_required_and_checked():
    now = int(time.time())
    with Beacon("require punch grant yes\npunch source limit 0\n"
            "punch total limit 0", nodes=[6], udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            u.join(b)
            v.join(b)
            for bad in (b"", bytes(72), grant(5, 6, now + 60, 5),
                    grant(7, 6, now + 60, 6), grant(5, 7, now + 60, 6),
                    grant(5, 6, now - 1, 6),
                    grant(5, 6, now + 60, 6)[:-1]):
                u.punch(6, bad)
            wait_for(lambda: b.metric("punch_refused", reason="grant") >= 6)
            u.expect_silence()
            v.expect_silence()
            u.punch(6, grant(5, 6, now + 60, 6))
            u.expect(command(4, "127.0.0.6", v.port))
            v.expect(command(4, "127.0.0.5", u.port))


def test_first_key_of_a_discover_counts_for_grants():
    expiry = int(time.time()) + 60
    with Beacon("require punch grant yes\npunch source limit 0\n"
            "punch total limit 0", nodes=[], udp=True) as b:
        with Udp(b.udp_port, 5, "127.0.0.5") as u, \
                Udp(b.udp_port, 6, "127.0.0.6") as v:
            u.join(b)
            v.join(b, key=keys.pair(6)[0])
            # A later one changes nothing.
            v.discover(key=keys.pair(7)[0])
            u.punch(6, grant(5, 6, expiry, 7))
            wait_for(lambda: b.metric("punch_refused", reason="grant") == 1)
            u.punch(6, grant(5, 6, expiry, 6))
            u.expect(command(4, "127.0.0.6", v.port))
            v.expect(command(4, "127.0.0.5", u.port))


def test_show_node_tells_all_transports():
    with Beacon(udp=True) as b, Udp(b.udp_port, 1) as u:
        u.join(b)
        with login(b, 1):
            got = b.ctl("show", "node", 1)
            assert got["udp"]["address"] == "127.0.0.1:%d" % u.port
            assert got["websocket"]["worker"] in (0, 1)
        b.ctl("show", "node", 2, ok=1)
        assert node_of(b, 2) is None
