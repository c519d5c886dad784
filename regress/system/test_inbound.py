# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Messages that are never finished cost those who do not finish them."""

from beacon import Beacon, limit, wait_for
from client import (BINARY, CLOSE, CONTINUATION, NO_MASK, PING, PONG, TEXT,
    Client, frame, login, relay, request)
from test_events import events

CROWD = 1700


def in_two_segments(one, two, size):
    """one's packet to two, whose beginning is there before the rest comes."""
    packet = frame(BINARY, relay(one.node, two.node, bytes(size)))
    one.send(packet[:len(packet) // 2])
    two.in_step()
    one.send(packet[len(packet) // 2:])
    two.expect_from(one.node, bytes(size))


@limit(90)
def test_half_a_message_of_each_of_a_crowd_costs_no_honest_peer():
    """More than can be held, in fragments that made twice their room once."""
    def half(size):
        return (frame(BINARY, bytes(size), fin=False, mask=NO_MASK) +
            frame(CONTINUATION, b"x", fin=False, mask=NO_MASK) +
            frame(PING, b"taken", mask=NO_MASK))

    with Beacon("source upgrade limit 0", nodes=range(1, CROWD + 4),
            workers=1) as b:
        one, two = login(b, CROWD + 1), login(b, CROWD + 2)
        crowd = [login(b, node) for node in range(1, CROWD + 1)]
        for i, client in enumerate(crowd):
            client.send(half(65530 if i < CROWD - 100 else 1000))
            assert client.next()[0] in (PONG, CLOSE)
        for size in (100, 1200, 4200, 30000):
            for _ in range(10):
                in_two_segments(one, two, size)
        # Nor who only now comes.
        with Client(b.port) as late:
            head = request()
            late.send(head[:50])
            two.in_step()
            late.send(head[50:])
            assert late.answer().status == 101
            late.send_text(late.reply(CROWD + 3, late.challenge()))
            late.expect(TEXT)
            late.node = CROWD + 3
            in_two_segments(late, two, 30000)
        out = b.metric("wss_refused", reason="crowded")
        # As many as the crowd had too much, and some room for others.
        assert 0 < out <= CROWD - 96 * 16, out
        assert b.metric("wss_refused", reason="busy") == 0
        assert any(e["event"] == "end" and e["reason"] == "crowded"
            for e in events(b))
        for client in [one, two] + crowd:
            client.close()


def test_half_a_head_of_each_of_a_crowd_delays_no_login():
    crowd, size = 4400, 8000
    with Beacon("source upgrade limit 0", workers=1) as b:
        two = login(b, 2)
        head = request(extra=["X: " + "x" * size])[:size]
        strangers = [Client(b.port) for _ in range(crowd)]
        for client in strangers:
            client.send(head)
        wait_for(lambda: b.metric("wss_refused", reason="crowded") >
            crowd - (32 << 20) // size)
        with Client(b.port) as one:
            head = request()
            one.send(head[:50])
            two.in_step()
            one.send(head[50:])
            assert one.answer().status == 101
            text = frame(TEXT, one.reply(1, one.challenge()).encode())
            one.send(text[:100])
            two.in_step()
            one.send(text[100:])
            one.expect(TEXT)
            one.node = 1
            in_two_segments(one, two, 30000)
        for client in strangers:
            client.close()
