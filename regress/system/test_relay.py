# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Packets between WebSocket peers."""

import selectors
import struct
import zlib

from beacon import Beacon, alone, limit
from client import (BINARY, NO_MASK, PING, deliver, frame, login, pair_on_workers,
    relay)

SIZES = [1] + list(range(111, 127)) + [1000, 16384, 32763]


def body(size, salt=0):
    return bytes((i * 7 + salt + (i >> 8)) & 255 for i in range(size))


def exchange(b, different):
    one, two, rest = pair_on_workers(b, different)
    for size in SIZES:
        one.send_to(two.node, body(size))
        two.expect_from(one.node, body(size))
        two.send_to(one.node, body(size, 1))
        one.expect_from(two.node, body(size, 1))
    for client in [one, two] + rest:
        client.close()


def test_all_sizes_on_the_same_worker():
    with Beacon() as b:
        exchange(b, False)


def test_all_sizes_on_different_workers():
    with Beacon() as b:
        exchange(b, True)


def test_all_sizes_with_one_worker():
    with Beacon(workers=1) as b:
        exchange(b, False)


def test_all_sizes_with_four_workers():
    with Beacon(workers=4) as b:
        exchange(b, True)


def test_relay_to_oneself():
    with Beacon() as b, login(b, 1) as client:
        for size in SIZES:
            client.send_to(1, body(size))
            client.expect_from(1, body(size))


def test_empty_payload():
    with Beacon() as b, login(b, 1) as client:
        client.send_to(1, b"")
        client.expect_from(1, b"")


def too_large(b, different):
    one, two, rest = pair_on_workers(b, different)
    for size in (32764, 40000, 65527):
        one.send_to(two.node, body(size))
    one.send_to(two.node, b"next")
    two.expect_from(one.node, b"next")
    b.wait_metric(3, "drops", reason="too_large")
    for client in [one, two] + rest:
        client.close()


def test_delivery_over_32768_bytes_is_dropped_on_the_same_worker():
    with Beacon() as b:
        too_large(b, False)


def test_delivery_over_32768_bytes_is_dropped_on_different_workers():
    with Beacon() as b:
        too_large(b, True)


def test_unknown_node_is_harmless():
    with Beacon() as b, login(b, 1) as client:
        for dest in (0, 2, 999999, 4294967295):
            client.send_to(dest, b"x")
        client.send_to(1, b"after")
        client.expect_from(1, b"after")
        b.wait_metric(4, "drops", reason="not_found")
        assert b.metric("frames_out") == 1


def test_node_that_left_is_unknown():
    with Beacon() as b, login(b, 1) as client:
        login(b, 2).close()
        b.wait_peers(1)
        client.send_to(2, b"x")
        b.wait_metric(1, "drops", reason="not_found")


def test_foreign_sender_is_dropped():
    with Beacon() as b, login(b, 1) as one, login(b, 2) as two:
        for sender in (0, 2, 3, 0x01000000, 4294967295):
            one.send_packet(relay(sender, 2, b"forged"))
        one.send_to(2, b"true")
        two.expect_from(1, b"true")
        b.wait_metric(5, "drops", reason="sender")


def test_packet_of_no_known_type_is_ignored():
    with Beacon() as b, login(b, 1) as one, login(b, 2) as two:
        for kind in (0, 2, 4, 6, 9, 10, 11, 0x50, 0x85, 255):
            one.send_packet(bytes([kind]) + relay(1, 2, b"x")[1:])
        one.send_to(2, b"after")
        two.expect_from(1, b"after")
        assert b.metric("drops", reason="type") > 0
        assert len(b.peers()) == 2


def test_short_packet_is_ignored():
    with Beacon() as b, login(b, 1) as one:
        packet = relay(1, 1, b"")
        for size in range(len(packet)):
            one.send_packet(packet[:size])
        one.send_packet(packet)
        one.expect_from(1, b"")
        b.wait_metric(len(packet), "drops", reason="short")


def test_fragmented_packet():
    with Beacon() as b:
        one, two, rest = pair_on_workers(b, True)
        packet = relay(one.node, two.node, body(32763))
        for cuts in ((1,), (9, 10), (5, 5), (16000, 32000)):
            at = (0,) + cuts + (len(packet),)
            for i, (start, end) in enumerate(zip(at, at[1:])):
                one.send(frame(BINARY if i == 0 else 0, packet[start:end],
                    fin=end == len(packet)))
            two.expect_from(one.node, body(32763))
        for client in [one, two] + rest:
            client.close()


def test_order_of_a_flow_is_kept():
    with Beacon("source packet limit 0") as b:
        one, two, rest = pair_on_workers(b, True)
        for first in range(0, 5000, 250):
            # Sizes that change from packet to packet.
            one.send(b"".join(frame(BINARY, relay(one.node, two.node,
                struct.pack(">I", i) + bytes(i * 37 % 900)))
                for i in range(first, first + 250)))
            for i in range(first, first + 250):
                got = two.recv_packet()
                assert got == deliver(one.node, struct.pack(">I", i) +
                    bytes(i * 37 % 900)), "packet %d" % i
        for client in [one, two] + rest:
            client.close()


def test_source_packet_limit():
    with Beacon("source packet limit 100") as b:
        with login(b, 1) as one, login(b, 2) as two:
            one.send(b"".join(frame(BINARY, relay(1, 2, b"%d" % i))
                for i in range(1000)))
            one.in_step()
            # Another node's budget is its own.
            two.send_to(2, b"mine")
            while two.recv_packet() != deliver(2, b"mine"):
                pass
            dropped = b.metric("drops", reason="rate")
            assert 700 <= dropped <= 950, dropped


def test_source_packet_limit_can_be_off():
    with Beacon("source packet limit 0") as b:
        with login(b, 1) as one:
            for _ in range(10):
                one.send(b"".join(frame(BINARY, relay(1, 1, b"x"))
                    for _ in range(1000)))
                for _ in range(1000):
                    one.expect_from(1, b"x")


class Flow:
    """One direction of a pair: packets numbered, with a checksum."""

    WINDOW = 32     # packets under way, few enough that no queue fills

    def __init__(self, source, dest, count):
        self.source = source
        self.dest = dest
        self.count = count
        self.sent = 0
        self.received = 0

    def packet(self, number):
        data = struct.pack(">III", self.source.node, self.dest.node, number)
        data += bytes([number & 255]) * (number % 700)
        return data + struct.pack(">I", zlib.crc32(data))

    def send(self):
        upto = min(self.count, self.received + self.WINDOW)
        # In batches: a refill for each packet would be all small writes.
        if upto - self.sent < self.WINDOW // 2 and upto < self.count:
            return
        self.source.send(b"".join(frame(BINARY, relay(self.source.node,
            self.dest.node, self.packet(n)), mask=NO_MASK)
            for n in range(self.sent, upto)))
        self.sent = upto

    def receive(self):
        got = self.dest.recv_packet()
        want = deliver(self.source.node, self.packet(self.received))
        assert got == want, "%d to %d, packet %d: %r" % (self.source.node,
            self.dest.node, self.received, got[:40])
        self.received += 1


def pump(flows):
    """Runs the flows until everything has come."""
    selector = selectors.DefaultSelector()
    for flow in flows:
        selector.register(flow.dest.sock, selectors.EVENT_READ, flow)
        flow.send()
    left = set(flows)
    while left:
        events = selector.select(10)
        assert events, "%d flows stand still; the first has %d of %d" % (
            len(left), min(f.received for f in left), flows[0].count)
        for key, _ in events:
            flow = key.data
            flow.dest.more()
            while complete(flow.dest.buffer):
                if flow.dest.buffer[0] == 0x80 | PING:
                    flow.dest.recv_frame()
                else:
                    flow.receive()
            flow.send()
            if flow.received == flow.count:
                left.discard(flow)


def complete(buffer):
    """A whole frame lies in buffer."""
    if len(buffer) < 2:
        return False
    if buffer[1] < 126:
        return len(buffer) >= 2 + buffer[1]
    if len(buffer) < 4:
        return False
    return len(buffer) >= 4 + struct.unpack_from(">H", buffer, 2)[0]


@alone
@limit(150)
def test_200_peers_in_pairs_lose_nothing():
    """200,000 packets: none lost, reordered, duplicated or altered."""
    with Beacon("source packet limit 0", nodes=range(1, 201)) as b:
        clients = [login(b, node) for node in range(1, 201)]
        where = {p["node"]: p["worker"] for p in b.peers()}
        flows = []
        for one, two in zip(clients[::2], clients[1::2]):
            flows += [Flow(one, two, 1000), Flow(two, one, 1000)]
        crossing = sum(where[f.source.node] != where[f.dest.node]
            for f in flows)
        assert 0 < crossing < len(flows), crossing
        pump(flows)
        b.wait_metric(200000, "relay_bridge", src_transport="wss",
            dst_transport="wss")
        for client in clients:
            # Nothing more may come.
            client.in_step()
            client.close()
        lost = {k: v for k, v in b.metrics().items() if "drops" in k and v}
        assert not lost, lost
