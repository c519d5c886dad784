# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Who gets in: the challenge."""

import base64
import json
import time

import keys
from beacon import Beacon, limit, wait_for
from client import BINARY, TEXT, CLOSE, Client, frame, login, relay, request


def reply_of(text, **change):
    """A reply with fields changed, or left out (None)."""
    fields = json.loads(text)
    fields.update(change)
    return json.dumps({k: v for k, v in fields.items() if v is not None})


def check_refused(beacon, make, opcode=TEXT):
    """What make(client, challenge) returns, text or bytes, is refused."""
    before = beacon.metric("connections", outcome="auth_fail")
    with Client(beacon.port) as client:
        client.upgrade()
        data = make(client, client.challenge())
        data = data if isinstance(data, bytes) else data.encode()
        client.send(frame(opcode, data))
        client.expect_close(1008, "auth failed")
    beacon.wait_metric(before + 1, "connections", outcome="auth_fail")
    assert beacon.peers() == []


def test_right_signature_gets_auth_ok():
    with Beacon() as b, login(b, 7):
        b.wait_metric(1, "connections", outcome="auth_ok")
        assert b.metric("wss_active") == 1
        assert [p["node"] for p in b.peers()] == [7]


def test_challenge_is_as_documented():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        got = client.challenge()
        assert set(got) == {"type", "nonce", "ts"}
        assert len(got["nonce"]) == 64
        assert bytes.fromhex(got["nonce"])
        assert got["nonce"] == got["nonce"].lower()
        assert abs(got["ts"] - time.time()) < 5


def test_no_nonce_comes_twice():
    with Beacon() as b:
        seen = set()
        for _ in range(300):
            with Client(b.port) as client:
                client.upgrade()
                seen.add(client.challenge()["nonce"])
        assert len(seen) == 300


def test_older_signature_form_gets_auth_ok():
    with Beacon() as b, Client(b.port) as client:
        client.login(7, legacy=True)
        assert b.metric("auth_legacy") == 1


def test_older_signature_form_can_be_refused():
    with Beacon("legacy signatures no") as b:
        check_refused(b, lambda c, ch: c.reply(7, ch, legacy=True))
        login(b, 7).close()


def test_bad_signature_is_refused():
    with Beacon() as b:
        def bad(at):
            def make(c, ch):
                sig = bytearray(base64.b64decode(
                    json.loads(c.reply(7, ch))["sig"]))
                sig[at] ^= 1
                return reply_of(c.reply(7, ch),
                    sig=base64.b64encode(sig).decode())
            return make
        for at in (0, 31, 32, 63):
            check_refused(b, bad(at))
        check_refused(b, lambda c, ch: reply_of(c.reply(7, ch),
            sig=base64.b64encode(bytes(64)).decode()))


def test_unknown_node_is_refused():
    with Beacon(nodes=[1]) as b:
        check_refused(b, lambda c, ch: c.reply(2, ch))


def test_signature_of_another_node_is_refused():
    with Beacon() as b:
        check_refused(b, lambda c, ch: c.reply(1, ch, signer=2))


def test_signature_for_another_node_is_refused():
    with Beacon() as b:
        check_refused(b, lambda c, ch: reply_of(c.reply(2, ch), node_id=1))


def test_public_key_in_the_reply_is_ignored():
    with Beacon() as b:
        check_refused(b, lambda c, ch: reply_of(c.reply(1, ch, signer=99),
            public_key=base64.b64encode(keys.pair(99)[0]).decode()))
        for key in ("", "!", base64.b64encode(keys.pair(2)[0]).decode()):
            with Client(b.port) as client:
                client.upgrade()
                client.send_text(reply_of(client.reply(1,
                    client.challenge()), public_key=key))
                assert json.loads(client.expect(TEXT)) == \
                    {"type": "auth_ok"}
                client.send(frame(CLOSE, b"\x03\xe8"))
                client.expect(CLOSE)
            b.wait_peers(0)


def test_replayed_reply_is_refused():
    with Beacon() as b:
        with Client(b.port) as client:
            client.upgrade()
            text = client.reply(1, client.challenge())
            client.send_text(text)
            client.expect(TEXT)
        b.wait_peers(0)
        check_refused(b, lambda c, ch: text)


def test_reply_to_the_challenge_of_another_connection_is_refused():
    with Beacon() as b, Client(b.port) as other:
        other.upgrade()
        challenge = other.challenge()
        check_refused(b, lambda c, ch: c.reply(1, challenge))


def test_nonce_with_another_time_is_refused():
    with Beacon("legacy signatures no") as b:
        check_refused(b, lambda c, ch: c.reply(1, dict(ch,
            ts=ch["ts"] + 1)))


def test_second_reply_is_refused():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        challenge = client.challenge()
        bad = client.reply(1, challenge, signer=2)
        client.send_text(bad)
        client.send_text(client.reply(1, challenge))
        client.expect_close(1008, "auth failed")
        b.wait_metric(1, "connections", outcome="auth_fail")
        assert b.metric("connections", outcome="auth_ok") == 0


def test_right_reply_sent_twice_at_once_is_refused_or_ignored():
    """The second is text after login, if the first was quicker."""
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        text = client.reply(1, client.challenge()).encode()
        client.send(frame(TEXT, text) * 2)
        opcode, _ = client.next()
        assert opcode in (TEXT, CLOSE)
        if opcode == TEXT:
            client.in_step()
            assert b.metric("text_ignored") == 1
        else:
            wait_for(lambda: b.metric("connections", outcome="auth_ok") +
                b.metric("connections", outcome="auth_fail") == 1)
            b.wait_peers(0)


def test_reply_as_binary_is_refused():
    with Beacon() as b:
        check_refused(b, lambda c, ch: c.reply(1, ch), BINARY)


def test_packet_before_login_is_refused():
    with Beacon() as b, login(b, 2) as other:
        with Client(b.port) as client:
            client.upgrade()
            client.challenge()
            client.send(frame(BINARY, relay(1, 2, b"too early")))
            client.expect_close(1008, "auth failed")
        other.send_to(2, b"marker")
        other.expect_from(2, b"marker")


def test_node_0_is_refused():
    with Beacon() as b:
        check_refused(b, lambda c, ch: c.reply(0, ch))


def test_bad_base64_is_refused():
    with Beacon() as b:
        good = base64.b64encode(bytes(64)).decode()
        for sig in ("", "!" * 88, good[:-2], good[:-4], good + "AAAA",
                "A" * 86 + "=A", " " + good, good + "\n",
                good.replace("A", "-"), "A" * 30000):
            check_refused(b, lambda c, ch: reply_of(c.reply(1, ch),
                sig=sig))


def test_bad_json_is_refused():
    with Beacon() as b:
        for text in ("", "{", "null", "[]", "1", '"auth_reply"', "{}",
                '{"type":"auth_reply"}', "[" * 60000, '{"a":' * 10000,
                "\0", '{"type":"auth_reply","node_id":1}'):
            check_refused(b, lambda c, ch: text)


def test_json_followed_by_more_is_refused():
    with Beacon() as b:
        check_refused(b, lambda c, ch: c.reply(1, ch) + "x")
        check_refused(b, lambda c, ch: c.reply(1, ch) + c.reply(1, ch))


def test_field_of_the_wrong_kind_is_refused():
    with Beacon() as b:
        for change in ({"node_id": "1"}, {"node_id": 1.0}, {"node_id": -1},
                {"node_id": 4294967297}, {"node_id": 1 << 64},
                {"node_id": True}, {"node_id": None}, {"node_id": [1]},
                {"type": "auth_ok"}, {"type": None}, {"type": 1},
                {"sig": 1}, {"sig": None}, {"sig": ["x"]}):
            check_refused(b, lambda c, ch: reply_of(c.reply(1, ch),
                **change))


def test_unknown_field_is_ignored():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        client.send_text(reply_of(client.reply(1, client.challenge()),
            version="1.2.3", more={"a": [1, 2]}))
        assert json.loads(client.expect(TEXT)) == {"type": "auth_ok"}


def test_reply_in_fragments():
    with Beacon() as b, Client(b.port) as client:
        client.upgrade()
        text = client.reply(1, client.challenge()).encode()
        client.send(frame(TEXT, text[:50], fin=False) +
            frame(0, text[50:51], fin=False) + frame(0, text[51:]))
        assert json.loads(client.expect(TEXT)) == {"type": "auth_ok"}


def test_silent_client_is_dropped_at_the_auth_timeout():
    with Beacon("auth timeout 1") as b, Client(b.port) as client:
        client.upgrade()
        client.challenge()
        start = time.monotonic()
        client.expect_close(1008, "auth failed")
        took = time.monotonic() - start
        assert 0.5 < took < 3, took
        b.wait_metric(1, "connections", outcome="auth_fail")


def test_pings_do_not_put_off_the_auth_timeout():
    with Beacon("auth timeout 1") as b, Client(b.port) as client:
        client.upgrade()
        client.challenge()
        start = time.monotonic()
        got = None
        while got != CLOSE:
            client.send(frame(9, b"x"))
            got, _ = client.next()
            time.sleep(0.05)
            assert time.monotonic() - start < 3, "still open"


def test_client_that_leaves_before_login_counts_as_failed():
    with Beacon() as b:
        with Client(b.port) as client:
            client.upgrade()
            client.challenge()
        b.wait_metric(1, "connections", outcome="auth_fail")


@limit(90)
def test_reply_after_more_than_30_s_is_refused():
    with Beacon("auth timeout 60") as b:
        def late(c, ch):
            time.sleep(32)
            return c.reply(1, ch)
        check_refused(b, late)
        assert b.metric("auth_verified", outcome="age") == 1


def test_every_refusal_looks_the_same():
    """Byte for byte, so that nothing tells what was wrong."""
    def refusal(b, make):
        with Client(b.port) as client:
            client.upgrade()
            client.send_text(make(client, client.challenge()))
            client.need(2)
            client.need(2 + client.buffer[1])
            return client.take(1000)
    with Beacon(nodes=[1]) as b:
        got = {refusal(b, make) for make in (
            lambda c, ch: c.reply(2, ch),
            lambda c, ch: c.reply(1, ch, signer=2),
            lambda c, ch: "{}",
            lambda c, ch: c.reply(0, ch))}
        assert len(got) == 1, got


def test_auth_ok_only_when_packets_can_be_delivered():
    with Beacon() as b, login(b, 31) as sender:
        for i in range(100):
            node = i % 30 + 1
            with login(b, node) as client:
                sender.send_to(node, b"%d" % i)
                client.expect_from(31, b"%d" % i)
            if node == 30:
                b.wait_peers(1)
        assert b.metric("drops", reason="not_found") == 0


def test_packet_sent_with_the_reply_is_not_taken():
    """Nothing may be said before auth_ok."""
    with Beacon() as b, login(b, 2) as other, Client(b.port) as client:
        client.upgrade()
        text = client.reply(1, client.challenge()).encode()
        client.send(frame(TEXT, text) + frame(BINARY, relay(1, 2, b"x")))
        opcode, _ = client.next()
        if opcode == CLOSE:
            other.send_to(2, b"marker")
            other.expect_from(2, b"marker")


def test_counters_move_as_documented():
    with Beacon() as b:
        def eight():
            m = b.metrics()
            def of(part):
                return next(v for k, v in m.items() if part in k)
            return [of('"upgrade_ok"'), of('"upgrade_fail"'),
                of('"auth_ok"'), of('"auth_fail"'), of("frames_in"),
                of("frames_out"), of("idle_disconnects"), of("wss_active")]
        assert eight() == [0] * 8
        with Client(b.port) as one, Client(b.port) as two:
            one.upgrade()
            wait_for(lambda: eight() == [1, 0, 0, 0, 0, 0, 0, 0])
            one.send_text(one.reply(1, one.challenge()))
            one.expect(TEXT)
            wait_for(lambda: eight() == [1, 0, 1, 0, 0, 0, 0, 1])
            two.login(2)
            wait_for(lambda: eight() == [2, 0, 2, 0, 0, 0, 0, 2])
            two.send_to(1, b"x")
            one.recv_packet()
            wait_for(lambda: eight() == [2, 0, 2, 0, 1, 1, 0, 2])
            two.send_to(9, b"nowhere")
            wait_for(lambda: eight() == [2, 0, 2, 0, 2, 1, 0, 2])
        wait_for(lambda: eight() == [2, 0, 2, 0, 2, 1, 0, 0])
        with Client(b.port) as bad:
            bad.send_reply(1, signer=2)
            bad.expect_close(1008)
        wait_for(lambda: eight() == [3, 0, 2, 1, 2, 1, 0, 0])
        with Client(b.port) as bad:
            bad.send(request(Sec_WebSocket_Key=None))
            bad.answer()
        wait_for(lambda: eight() == [3, 1, 2, 1, 2, 1, 0, 0])
