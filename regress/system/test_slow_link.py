# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A peer at 100 kB/s, for which megabytes wait, hears at once what matters."""

import time

from beacon import Beacon
from client import (BINARY, CLOSE, NO_MASK, PING, PONG, deliver, frame, login,
    relay)

RATE = 100000       # bytes/s
BUFFER = 16384      # of the peer's kernel, which we cannot help


def burst(source, dest, packets, size=1200):
    """Numbered packets all at once; returns them as they are to arrive."""
    payloads = [b"%06d" % i + bytes(size - 6) for i in range(packets)]
    source.send(b"".join(frame(BINARY, relay(source.node, dest, payload),
        mask=NO_MASK) for payload in payloads))
    source.in_step()
    return [deliver(source.node, payload) for payload in payloads]


def whole_frame(client):
    """Is there one in what has been read?"""
    head = bytes(client.buffer[:4])
    if len(head) < 2:
        return False
    if head[1] < 126:
        return len(client.buffer) >= 2 + head[1]
    return (len(head) == 4 and
        len(client.buffer) >= 4 + int.from_bytes(head[2:], "big"))


def at_rate(client, seconds):
    """Reads at RATE; yields the frames that come, and None now and then."""
    start, taken = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        most = int(RATE * (time.monotonic() - start)) - taken
        if most < 1000:
            time.sleep(0.005)
        else:
            data = client.sock.recv(most)
            assert data, "end of file"
            taken += len(data)
            client.buffer += data
        while whole_frame(client):
            yield client.recv_frame()[1:]
        yield None


def rest(client, count):
    """So many packets more, as fast as they come."""
    got = []
    while len(got) < count:
        opcode, data = client.next()
        if opcode == BINARY:
            got.append(data)
    return got


def drops(beacon):
    return sum(v for k, v in beacon.metrics().items() if "drops" in k)


def test_pongs_and_pings_come_in_time_and_nothing_is_lost():
    with Beacon("source packet limit 0\nping interval 1") as b:
        with login(b, 1, rcvbuf=BUFFER) as slow, login(b, 2) as source:
            wanted = burst(source, 1, 3333)
            got, took, pings, asked = [], [], 0, None
            next_ping = time.monotonic()
            for come in at_rate(slow, 6):
                now = time.monotonic()
                if asked is None and now > next_ping:
                    asked, next_ping = now, now + 0.7
                    slow.send(frame(PING, b"here?"))
                if come is None:
                    assert asked is None or now - asked < 2, "no pong"
                elif come[0] == PONG:
                    took.append(now - asked)
                    asked = None
                elif come[0] == PING:
                    pings += 1
                else:
                    got.append(come[1])
            print("%d pongs, the last after %.2f s, the slowest %.2f s; "
                "%d pings" % (len(took), took[-1], max(took), pings))
            assert pings >= 2, pings    # a pong may take the place of one
            assert len(got) < len(wanted) / 4
            # Hereafter it has a better line.
            got += rest(slow, len(wanted) - len(got))
            assert got == wanted
            assert drops(b) == 0


def test_close_comes_in_time():
    with Beacon("source packet limit 0") as b:
        with login(b, 1, rcvbuf=BUFFER) as slow, login(b, 2) as source:
            burst(source, 1, 3333)
            other = login(b, 1)
            start = time.monotonic()
            code = next(come[1][:2] for come in at_rate(slow, 2)
                if come is not None and come[0] == CLOSE)
            print("close frame after %.2f s" % (time.monotonic() - start))
            assert code == b"\x03\xe8", code
            other.close()


def test_who_reads_all_the_time_is_alive():
    """Though it says nothing; but not for ever after it has read all."""
    with Beacon("source packet limit 0\nidle timeout 2\nping interval 1") as b:
        with login(b, 1, rcvbuf=BUFFER) as slow, login(b, 2) as source:
            wanted = burst(source, 1, 500)
            got = [come[1] for come in at_rate(slow, 3.5)
                if come is not None and come[0] == BINARY]
            assert len(got) < len(wanted)
            assert b.peer(1) is not None
            got += rest(slow, len(wanted) - len(got))
            assert got == wanted
            slow.expect_close(1001, "idle timeout", 4)
            source.close()
