# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""How a WebSocket ends: who says what, what is heard, and when TCP ends."""

import contextlib
import os
import signal
import struct
import time

from beacon import Beacon, wait_for
from client import (BINARY, CLOSE, PING, TEXT, Client, Ended, frame, header,
    login, relay)

MASK = b"\0\0\0\0"
FAKE_CLOSE = b"\x88\x80" + MASK
LONG_FRAME = b"\x82\xfe\xff\x00" + MASK
BAD_HEADER = b"\xff\xff\xff\xff"


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


def next_frame(client, bound=10):
    """As Client.next(), with None for the end in good order."""
    try:
        return client.next(bound)
    except Ended as why:
        assert str(why) == "end of file", why
        return None


def seconds_to_the_end(client):
    """Nothing more comes, and TCP ends, and not with a reset."""
    start = time.monotonic()
    got = next_frame(client)
    assert got is None, "then came %d %r" % (got[0], got[1][:32])
    return time.monotonic() - start


def at_once(attempt, bound=0.2, tries=5):
    """attempt() takes less than that, if the machine lets it once."""
    took = [attempt()]
    while min(took) > bound and len(took) < tries:
        took.append(attempt())
    assert min(took) <= bound, took


def code_of(client):
    return struct.unpack(">H", client.expect(CLOSE)[:2])[0]


# Frames that are refused, the code, and what the refusal counts as.
REFUSED = {
    "too big": (header(BINARY, 100000, mask=MASK), 1009, "too_big"),
    "without a mask": (b"\x82\x7e\x7f\xff", 1002, "protocol_errors"),
    "reserved bit": (b"\xc2\xfe\x7f\xff" + MASK, 1002, "protocol_errors"),
    "reserved opcode": (b"\x83\xfe\x7f\xff" + MASK, 1002,
        "protocol_errors"),
    "long ping": (b"\x89\xfe\x7f\xff" + MASK, 1002, "protocol_errors"),
    "no text": (frame(TEXT, b"\xff"), 1007, "protocol_errors"),
}


RESTS = [FAKE_CLOSE, frame(PING, b"x"), LONG_FRAME, BAD_HEADER,
    header(BINARY, 100000, mask=MASK)]


def check_rests(at_the_same_time):
    """The rests of refused frames come to nothing."""
    with Beacon() as b, contextlib.ExitStack() as stack:
        clients = []
        for name, (start, code, _) in REFUSED.items():
            for rest in RESTS:
                client = stack.enter_context(login(b, len(clients) + 1))
                client.send(start + rest if at_the_same_time else start)
                clients.append((client, code, rest, name))
        for client, code, rest, name in clients:
            assert code_of(client) == code, name
            if not at_the_same_time:
                client.send(rest)
        for client, _, rest, name in clients:
            took = seconds_to_the_end(client)
            assert took < 2, (name, rest, took)
        b.wait_peers(0)
        for counter in ("too_big", "protocol_errors"):
            want = sum(row[2] == counter for row in REFUSED.values())
            got = b.metric(counter)
            assert got == want * len(RESTS), (counter, got)


def test_rest_of_a_refused_frame_is_not_parsed():
    check_rests(True)


def test_rest_that_comes_later_is_not_parsed():
    check_rests(False)


def test_one_message_that_is_too_big_is_logged_and_counted_once():
    with Beacon() as b, login(b, 1) as client:
        client.send(frame(BINARY, BAD_HEADER * 20000, mask=MASK))
        client.expect_close(1009)
        b.wait_peers(0)
        b.wait_metric(1, "too_big")
        assert b.metric("protocol_errors") == 0
        lines = [line for line in b.lines if "node=1 " in line]
        assert len(lines) == 2 and "reason=too_big" in lines[1], lines


def test_refused_frame_that_goes_on_is_read_to_its_end():
    """A reset would cost the client the close frame."""
    with Beacon() as b:
        def attempt():
            with login(b, 1) as client:
                client.send(header(BINARY, 100000, mask=MASK))
                for _ in range(60):
                    client.send(bytes(1000))
                    time.sleep(0.02)
                assert code_of(client) == 1009
                return seconds_to_the_end(client)
        at_once(attempt, 1)


def test_peer_that_never_ends_after_its_violation_is_cut_off():
    with Beacon() as b, login(b, 1) as client:
        start = time.monotonic()
        client.send(b"\x83\x80" + MASK)
        try:
            while time.monotonic() - start < 10:
                client.send(bytes(1000))
                time.sleep(0.02)
            raise AssertionError("still reads")
        except OSError:
            took = time.monotonic() - start
        assert 2 < took < 6, took


def test_tcp_ends_at_once_after_both_have_closed():
    with Beacon() as b:
        for data, code in ((close_frame(1000), 1000), (frame(CLOSE), 1000),
                (frame(CLOSE, b"\x03"), 1002), (close_frame(1005), 1002),
                (close_frame(1000, b"\xff"), 1002)):
            def attempt():
                with login(b, 1) as client:
                    client.send(data)
                    assert code_of(client) == code, data
                    return seconds_to_the_end(client)
            at_once(attempt)


def test_close_behind_queued_data_ends_as_soon_as_it_is_read():
    with Beacon() as b, login(b, 2) as two, \
            Client(b.port, rcvbuf=4096).login(1) as one:
        for _ in range(300):
            two.send_to(1, bytes(30000))
        wait_for(lambda: b.metric("drops", reason="queue_full"),
            what="a full queue")
        one.send(close_frame(1000))
        b.wait_peers(1)
        while one.next()[0] != CLOSE:
            pass
        took = seconds_to_the_end(one)
        assert took < 1.5, took


def test_oversized_reply_fails_the_login_once():
    with Beacon() as b:
        for n, rest in enumerate((FAKE_CLOSE, LONG_FRAME, BAD_HEADER), 1):
            with Client(b.port) as client:
                client.upgrade()
                client.challenge()
                client.send(header(TEXT, 50000, mask=MASK))
                assert code_of(client) == 1008
                client.send(rest)
                took = seconds_to_the_end(client)
                assert took < 2, took
            b.wait_metric(n, "connections", outcome="auth_fail")
        assert b.metric("protocol_errors") == 0
        assert b.metric("too_big") == 0


def closed_by_us(b, node):
    """Two clients that the beacon has sent a close frame, and the codes."""
    refused = Client(b.port)
    refused.send_reply(node, signer=node + 1)
    replaced = login(b, node)
    login(b, node).close()
    for client, code in (refused, 1008), (replaced, 1000):
        assert code_of(client) == code
        yield client


def test_own_close_ends_when_it_is_answered():
    node = 0
    with Beacon() as b:
        def attempt():
            nonlocal node
            node += 1
            took = []
            for client in closed_by_us(b, node):
                with client:
                    client.send(frame(BINARY, bytes(70)) + frame(PING, b"x"))
                    client.send(close_frame(1000))
                    took.append(seconds_to_the_end(client))
            return max(took)
        at_once(attempt)


def test_own_close_that_is_not_answered_ends_after_3_s():
    with Beacon() as b:
        start = time.monotonic()
        for client in list(closed_by_us(b, 1)):
            with client:
                seconds_to_the_end(client)
                took = time.monotonic() - start
                assert 2.5 < took < 5, took


def test_replaced_in_the_middle_of_a_frame():
    """The close of the one that was replaced is found behind it."""
    node = 0
    with Beacon() as b:
        for size in (10, 200, 30000):
            whole = frame(BINARY, relay(1, 1, bytes(size)))
            for cut in (1, 7, 12, len(whole) - 1):
                node += 1
                with login(b, node) as client:
                    took = replace(b, client, whole[:cut], whole[cut:])
                assert took < 1.5, (took, size, cut)


def replace(b, old, before, after):
    """Logs in again on another worker, while old's is stopped.

    Returns after what time the old connection has ended.
    """
    old.send(frame(PING, b"read") + before)
    while old.next()[1] != b"read":
        pass
    pid = b.pid_of("worker", b.worker_of(old.node))
    os.kill(pid, signal.SIGSTOP)
    try:
        new = login(b, old.node)
        old.send(after + close_frame(1000))
    finally:
        os.kill(pid, signal.SIGCONT)
    with new:
        assert code_of(old) == 1000
        return seconds_to_the_end(old)
