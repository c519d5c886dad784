# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""RFC 6455 as a server has to keep it, and the daemon's own limits."""

import contextlib
import struct
import time

from beacon import Beacon
from client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client,
    deliver, frame, header, login, relay)


def check_closed(beacon, code, *streams):
    """Each stream of bytes ends its session with that code.

    A bystander must not notice.
    """
    with login(beacon, 30) as bystander, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(login(beacon, node))
            for node in range(1, len(streams) + 1)]
        for client, data in zip(clients, streams):
            client.send(data)
        for client in clients:
            client.expect_close(code)
        bystander.send_to(30, b"still here")
        bystander.expect_from(30, b"still here")
        beacon.wait_peers(1)


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


def test_unmasked_frame_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002, frame(BINARY, b"x", mask=None),
            frame(PING, b"x", mask=None), frame(TEXT, b"", mask=None))
        assert b.metric("protocol_errors") == 3


def test_reserved_bits_get_1002():
    with Beacon() as b:
        check_closed(b, 1002, *(frame(BINARY, b"x", rsv=rsv)
            for rsv in (1, 2, 4, 7)))


def test_reserved_opcodes_get_1002():
    with Beacon() as b:
        check_closed(b, 1002, *(frame(opcode, b"x")
            for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)))


def test_fragmented_control_frame_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002, *(frame(opcode, b"", fin=False)
            for opcode in (CLOSE, PING, PONG)))


def test_oversized_control_frame_gets_1002():
    with Beacon() as b:
        # The header alone is enough to know.
        check_closed(b, 1002, *(header(opcode, 126, mask=b"abcd")
            for opcode in (CLOSE, PING, PONG)))


def test_bad_close_payload_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002, frame(CLOSE, b"\x03"),
            *(close_frame(code) for code in (0, 999, 1004, 1005, 1006,
                1015, 1016, 2999, 5000, 65535)))


def test_close_reason_that_is_not_utf8_is_refused():
    with Beacon() as b, login(b, 1) as client:
        client.send(close_frame(1000, b"\xff\xfe"))
        opcode, data = client.next()
        assert opcode == CLOSE and data[:2] in (b"\x03\xea", b"\x03\xef")


def test_continuation_of_nothing_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002, frame(CONTINUATION, b"x"),
            frame(CONTINUATION, b"x", fin=False),
            frame(BINARY, b"x") + frame(CONTINUATION, b"y"))


def test_message_within_a_message_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002,
            frame(BINARY, b"x", fin=False) + frame(BINARY, b"y"),
            frame(BINARY, b"x", fin=False) + frame(TEXT, b"y"),
            frame(TEXT, b"x", fin=False) + frame(BINARY, b"y"))


def test_length_not_in_its_shortest_form_gets_1002():
    with Beacon() as b:
        check_closed(b, 1002,
            b"\x82\xfe\x00\x05" + bytes(4) + b"abcde",
            b"\x82\xff" + struct.pack(">Q", 5) + bytes(4) + b"abcde",
            b"\x82\xff" + struct.pack(">Q", 65535) + bytes(4))


def test_text_that_is_not_utf8_gets_1007():
    with Beacon() as b:
        check_closed(b, 1007,
            *(frame(TEXT, text) for text in (b"\xff", b"\xc0\x80",
                b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x80",
                b"\xe2\x82")))


def test_fragmented_text_is_checked_as_a_whole():
    with Beacon() as b:
        with login(b, 20) as client:
            client.send(frame(TEXT, b"\xe2", fin=False) +
                frame(CONTINUATION, b"\x82", fin=False) +
                frame(CONTINUATION, b"\xac"))
            client.in_step()
        b.wait_peers(0)
        check_closed(b, 1007, frame(TEXT, b"\xe2", fin=False) +
            frame(CONTINUATION, b"\x28\xa1"))


GOOD_TEXT = "a\u03ba\u20ac\U0010ffff".encode()


def texts_after(good, bad=b""):
    """A text as one frame, and as the rest of a message, cut anywhere.

    As (what comes before, the frame's opcode, its payload).
    """
    yield b"", TEXT, good + bad
    for cut in range(len(good)):
        yield (frame(TEXT, good[:cut], fin=False), CONTINUATION,
            good[cut:] + bad)


def test_good_text_in_pieces_is_taken():
    with Beacon() as b, login(b, 1) as client:
        for start, opcode, text in texts_after(GOOD_TEXT):
            client.send(start)
            client.send_bytewise(frame(opcode, text))
            client.in_step()
        assert b.metric("protocol_errors") == 0


def test_text_in_pieces_fails_at_its_first_bad_octet():
    """Of the frame in which it is, no more than that octet comes."""
    with Beacon(nodes=range(1, 50)) as b, contextlib.ExitStack() as stack:
        clients = []
        for bad in (b"\xff", b"\xed\xa0", b"\xe2\x28"):
            for start, opcode, text in texts_after(GOOD_TEXT, bad):
                client = stack.enter_context(login(b, len(clients) + 1))
                whole = frame(opcode, text + bytes(50))
                end = len(whole) - 50
                client.send(start)
                client.send_bytewise(whole[:end - 1])
                clients.append((client, whole[end - 1:end]))
        assert b.metric("protocol_errors") == 0
        for client, octet in clients:
            client.send(octet)
        for client, _ in clients:
            client.expect_close(1007)
        assert b.metric("protocol_errors") == len(clients)


def test_reply_that_is_no_text_fails_at_its_first_bad_octet():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        client.challenge()
        client.send_bytewise(frame(TEXT, b'{"type":\xff' + bytes(80))[:15])
        client.expect_close(1007)
        b.wait_metric(1, "connections", outcome="auth_fail")


def test_message_over_max_frame_gets_1009_from_its_header():
    with Beacon() as b:
        check_closed(b, 1009, *(header(BINARY, length, mask=b"abcd")
            for length in (65537, 1 << 20, 1 << 32, (1 << 63) - 1)))
        assert b.metric("too_big") == 4


def test_length_of_64_bits_is_refused():
    with Beacon() as b, login(b, 1) as client:
        client.send(header(BINARY, 1 << 63, mask=b"abcd"))
        opcode, data = client.next()
        assert opcode == CLOSE and data[:2] in (b"\x03\xea", b"\x03\xf1")


def test_fragments_over_max_frame_together_get_1009():
    with Beacon() as b:
        check_closed(b, 1009,
            frame(BINARY, bytes(40000), fin=False) +
                header(CONTINUATION, 25537, mask=b"abcd"),
            frame(BINARY, bytes(65536), fin=False) +
                header(CONTINUATION, 1, mask=b"abcd"))


def test_max_frame_is_configurable():
    with Beacon("max frame 1000") as b:
        check_closed(b, 1009, header(BINARY, 1001, mask=b"abcd"))
        with login(b, 1) as client:
            client.send_packet(relay(1, 1, bytes(991)))
            assert client.recv_packet() == deliver(1, bytes(991))


def test_message_of_max_frame_is_taken():
    with Beacon() as b, login(b, 1) as client:
        client.send(frame(BINARY, relay(1, 1, bytes(65527))))
        client.send(frame(BINARY, relay(1, 1, bytes(30000)), fin=False) +
            frame(CONTINUATION, bytes(35527)))
        client.send_to(1, b"after")
        client.expect_from(1, b"after")
        b.wait_metric(2, "drops", reason="too_large")


def test_empty_fragments_without_end_are_harmless():
    with Beacon() as b, login(b, 1) as client:
        client.send(frame(BINARY, relay(1, 1, b"x"), fin=False))
        client.send(frame(CONTINUATION, b"", fin=False) * 20000)
        client.send(frame(CONTINUATION, b"y"))
        client.expect_from(1, b"xy")


def test_ping_gets_its_payload_back():
    with Beacon() as b, login(b, 1) as client:
        for payload in (b"", b"x", bytes(range(125))):
            client.send(frame(PING, payload))
            client.expect(PONG, payload)


def test_pings_in_one_segment_get_a_pong_each():
    with Beacon() as b, login(b, 1) as client:
        for size in (0, 1, 125):
            pings = [bytes([65 + i]) * size for i in range(16)]
            client.send(b"".join(frame(PING, ping) for ping in pings))
            for ping in pings:
                client.expect(PONG, ping)
            client.in_step()


def test_last_of_many_pings_gets_a_pong():
    with Beacon() as b, login(b, 1) as client:
        client.send(b"".join(frame(PING, bytes([i]) * 125)
            for i in range(200)))
        got = 0
        while client.expect(PONG) != bytes([199]) * 125:
            got += 1
        assert got >= 15, got


def test_pings_before_a_close_get_a_pong():
    with Beacon() as b:
        for node, end in enumerate((close_frame(1000), b"\x83\x80"), 1):
            with login(b, node) as client:
                client.send(frame(PING, b"1") + frame(PING, b"2") + end)
                client.expect(PONG, b"1")
                client.expect(PONG, b"2")
                client.expect(CLOSE)


def test_ping_between_fragments():
    with Beacon() as b, login(b, 1) as client:
        packet = relay(1, 1, b"in three pieces")
        client.send(frame(BINARY, packet[:4], fin=False) +
            frame(PING, b"1"))
        client.expect(PONG, b"1")
        client.send(frame(CONTINUATION, packet[4:9], fin=False) +
            frame(PING, b"2"))
        client.expect(PONG, b"2")
        client.send(frame(CONTINUATION, packet[9:]))
        client.expect_from(1, b"in three pieces")


def test_pong_comes_before_the_message_around_its_ping():
    with Beacon() as b, login(b, 1) as client:
        packet = relay(1, 1, b"around")
        for before in (b"", frame(BINARY, relay(1, 1, b"first"))):
            client.send(before + frame(BINARY, packet[:4], fin=False) +
                frame(PING, b"1") + frame(CONTINUATION, packet[4:]))
            got = [client.next()[1] for _ in range(3 if before else 2)]
            assert got.index(b"1") < got.index(deliver(1, b"around")), got


def test_ping_before_login():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        client.challenge()
        client.send(frame(PING, b"hello"))
        client.expect(PONG, b"hello")


def test_unasked_pong_is_ignored():
    with Beacon() as b, login(b, 1) as client:
        client.send(frame(PONG, b"unasked") * 3)
        client.in_step()


def test_close_is_echoed():
    with Beacon() as b:
        for node, payload in enumerate((b"", struct.pack(">H", 1000),
                struct.pack(">H", 1001) + b"bye",
                struct.pack(">H", 3000), struct.pack(">H", 4999)), 1):
            with login(b, node) as client:
                client.send(frame(CLOSE, payload))
                got = client.expect(CLOSE)
                # Nothing may be answered with nothing, or with 1000.
                assert got[:2] == (payload or got[:2] and b"\x03\xe8")[:2]
                client.expect_end()
        b.wait_peers(0)


def test_frames_after_close_are_not_handed_on():
    with Beacon() as b, login(b, 1) as one, login(b, 2) as two:
        one.send(frame(BINARY, relay(1, 2, b"before")) +
            close_frame(1000) + frame(BINARY, relay(1, 2, b"after")))
        two.expect_from(1, b"before")
        one.expect(CLOSE)
        b.wait_peers(1)
        two.send_to(2, b"marker")
        two.expect_from(2, b"marker")


def test_frames_one_byte_at_a_time():
    with Beacon() as b, login(b, 1) as client:
        for size in (1, 111, 126, 1000):
            payload = bytes(i & 255 for i in range(size))
            client.send_bytewise(frame(BINARY, relay(1, 1, payload)))
            client.expect_from(1, payload)


def test_many_frames_in_one_segment():
    with Beacon() as b, login(b, 1) as client:
        client.send(b"".join(frame(BINARY, relay(1, 1, b"%d" % i))
            for i in range(500)))
        for i in range(500):
            client.expect_from(1, b"%d" % i)


def test_message_in_fragments_of_one_byte():
    with Beacon() as b, login(b, 1) as client:
        packet = relay(1, 1, b"every byte a fragment")
        data = frame(BINARY, packet[:1], fin=False)
        for i in range(1, len(packet)):
            data += frame(CONTINUATION, packet[i:i + 1],
                fin=i == len(packet) - 1)
        client.send(data)
        client.expect_from(1, b"every byte a fragment")


def test_empty_message_harms_nothing():
    with Beacon() as b, login(b, 1) as client:
        client.send(frame(BINARY, b"") + frame(TEXT, b""))
        client.send_to(1, b"after")
        client.expect_from(1, b"after")
        b.wait_metric(1, "drops", reason="short")


def test_text_after_login_is_ignored():
    with Beacon() as b, login(b, 1) as client:
        for text in ("", "{}", '{"type":"auth_challenge"}', "x" * 60000):
            client.send_text(text)
        client.in_step()
        client.send_to(1, b"after")
        client.expect_from(1, b"after")
        b.wait_metric(4, "text_ignored")


def test_server_pings():
    with Beacon("ping interval 1") as b, login(b, 1) as client:
        for _ in range(2):
            client.expect(PING, bound=3)


def test_idle_peer_is_dropped_and_counted():
    with Beacon("ping interval 1\nidle timeout 2") as b:
        with login(b, 1) as client:
            start = time.monotonic()
            client.expect(CLOSE, bound=8)
            assert 1.5 < time.monotonic() - start < 5
            client.expect_end()
            assert b.metric("idle_disconnects") == 1
            b.wait_peers(0)


def test_peer_that_sends_only_pieces_of_a_frame_is_dropped():
    with Beacon("ping interval 1\nidle timeout 2") as b:
        with login(b, 1) as client:
            long = frame(BINARY, bytes(60000))
            client.send(long[:100])
            for i in range(100, 140):
                time.sleep(0.2)
                try:
                    client.send(long[i:i + 1])
                except OSError:
                    break
                if not b.peers():
                    break
            else:
                raise AssertionError("still there")
            b.wait_peers(0)
            assert b.metric("idle_disconnects") == 1


def test_peer_that_only_answers_pings_stays():
    with Beacon("ping interval 1\nidle timeout 2") as b:
        with login(b, 1) as client:
            end = time.monotonic() + 6
            while time.monotonic() < end:
                client.send(frame(PONG, client.expect(PING, bound=3)))
            client.send_to(1, b"here")
            assert client.recv_packet() == deliver(1, b"here")
            assert b.metric("idle_disconnects") == 0


def test_peer_that_only_pings_stays():
    with Beacon("ping interval 1\nidle timeout 2") as b:
        with login(b, 1) as client:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                client.expect(PING, bound=3)
                client.in_step()
            assert b.metric("idle_disconnects") == 0
