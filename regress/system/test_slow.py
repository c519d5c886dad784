# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Peers that read slowly or not at all cost only themselves."""

import statistics
import time

from beacon import Beacon, alone, memory, wait_for
from client import (BINARY, NO_MASK, PING, PONG, frame, login,
    pair_on_workers, relay)

BIG = bytes(16384)


def round_trips(one, two, count):
    """Seconds of count packets there and back."""
    took = []
    for i in range(count):
        start = time.monotonic()
        one.send_to(two.node, b"%d" % i)
        two.expect_from(one.node, b"%d" % i)
        two.send_to(one.node, b"%d" % i)
        one.expect_from(two.node, b"%d" % i)
        took.append(time.monotonic() - start)
    return took


def flood(beacon, source, dest, packets=400):
    """Sends until packets for dest are dropped for want of room."""
    data = frame(BINARY, relay(source.node, dest, BIG), mask=NO_MASK)
    before = dropped(beacon)
    for _ in range(100):
        for _ in range(packets // 20):
            source.send(data)
        source.in_step()
        if dropped(beacon) > before:
            return
    raise AssertionError("nothing was dropped")


def dropped(beacon):
    return sum(v for k, v in beacon.metrics().items()
        if "drops" in k and "queue_full" in k)


@alone
def test_peer_that_does_not_read_delays_nobody():
    with Beacon("source packet limit 0\nwrite timeout 60") as b:
        one, two, rest = pair_on_workers(b, True)
        flooder = login(b, 30)
        before = statistics.median(round_trips(one, two, 300))
        # One on either worker, so that both have a queue that is stuck.
        stuck = [login(b, node, rcvbuf=4096) for node in range(26, 30)]
        for client in stuck:
            flood(b, flooder, client.node)
        during = []
        for _ in range(30):
            for client in stuck:
                flooder.send_to(client.node, BIG)
            during += round_trips(one, two, 10)
        median = statistics.median(during)
        print("median round trip %.3f ms, with stuck peers %.3f ms, "
            "worst %.3f ms" % (before * 1e3, median * 1e3,
            max(during) * 1e3))
        assert median < max(5 * before, 0.005), (before, median)
        assert max(during) < 1, max(during)
        for client in [one, two, flooder] + stuck + rest:
            client.close()


def test_peer_that_does_not_read_is_dropped_after_the_write_timeout():
    with Beacon("source packet limit 0\nwrite timeout 2") as b:
        with login(b, 1, rcvbuf=4096) as stuck, login(b, 2) as source:
            flood(b, source, 1)
            start = time.monotonic()
            b.wait_metric(1, "write_timeouts", bound=8)
            assert time.monotonic() - start < 6
            wait_for(lambda: b.peer(1) is None)
            source.send_to(2, b"fine")
            source.expect_from(2, b"fine")
            stuck.close()


def test_peer_that_reads_slowly_stays():
    """Progress is what counts, not speed."""
    with Beacon("source packet limit 0\nwrite timeout 2") as b:
        with login(b, 1, rcvbuf=4096) as slow, login(b, 2) as source:
            flood(b, source, 1)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                source.send_to(1, BIG)
                slow.more()
                slow.more()
                time.sleep(0.02)
            assert b.peer(1) is not None
            assert b.metric("write_timeouts") == 0


def test_pong_overtakes_queued_data():
    with Beacon("source packet limit 0\nwrite timeout 60") as b:
        with login(b, 1, rcvbuf=4096) as slow, login(b, 2) as source:
            flood(b, source, 1)
            slow.send(frame(PING, b"overtake"))
            # Dealt with when another ping has come back behind it.
            source.in_step()
            wait_for(lambda: b.ctl("show", "peer", 1)["queued"] > 0)
            frames = []
            source.send_to(1, b"last")
            slow.sock.settimeout(2)
            while True:
                try:
                    opcode, data = slow.next(2)
                except TimeoutError:
                    break
                frames.append((opcode, data))
            at = frames.index((PONG, b"overtake"))
            behind = sum(opcode == BINARY for opcode, _ in frames[at:])
            print("%d frames before the pong, %d behind" % (at, behind))
            assert behind >= 4, behind


def test_flood_of_pings_without_reading_is_bounded():
    with Beacon("write timeout 2", workers=1) as b:
        with login(b, 2) as other, login(b, 1, rcvbuf=4096) as bad:
            pid = b.pid_of("worker")
            before = memory(pid)
            pings = frame(PING, bytes(125), mask=NO_MASK) * 500
            bad.sock.settimeout(0.5)
            try:
                for _ in range(1000):
                    bad.sock.send(pings)
            except (TimeoutError, OSError):
                # It may have been thrown out, or not be read any more.
                pass
            other.send_to(2, b"fine")
            other.expect_from(2, b"fine")
            grown = memory(pid) - before
            assert grown < 8192, "%d KiB" % grown


@alone
def test_a_crowd_that_does_not_read_leaves_room_for_others():
    """What may wait for all is never used up, and is what is allocated."""
    crowd = 290
    with Beacon("source packet limit 0\nwrite timeout 300", workers=1,
            nodes=range(1, crowd + 3)) as b, login(b, crowd + 1) as source:
        def burst(client):
            packet = frame(BINARY, relay(source.node, client.node,
                bytes(16384)), mask=NO_MASK)
            for _ in range(100):
                source.send(packet)
            source.in_step()

        slow = [login(b, node, rcvbuf=4096, mss=1000)
            for node in range(1, crowd + 1)]
        for client in slow:
            burst(client)
        used = memory(b.pid_of("worker"))
        assert used < 140 << 10, used
        last = login(b, crowd + 2, rcvbuf=4096, mss=1000)
        burst(last)
        queued = b.ctl("show", "peer", last.node)["queued"]
        # How much of it the kernel holds is the machine's; one waits here.
        assert queued > 16384, queued
        for client in slow + [last]:
            client.sock.close()
