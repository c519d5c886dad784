# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What an HTTP client gets: one test for each row of the table."""

import contextlib
import email.utils
import time

from beacon import Beacon, wait_for
from client import (ACCEPT, BINARY, KEY, PING, PONG, TEXT, Client, Ended,
    frame, login, request)


def ask(beacon, data, method="GET", bound=10.0):
    """Sends data on a connection of its own; returns the answer."""
    with Client(beacon.port) as client:
        client.send(data)
        return client.answer(method, bound)


def check(beacon, status, *requests):
    for data in requests:
        got = ask(beacon, data)
        assert got.status == status, "%d, not %d, for %r" % (got.status,
            status, data[:300])
        assert got.version == "HTTP/1.1"


def check_426(got):
    assert got.status == 426, got.status
    assert got.get("Upgrade") == "websocket"
    assert got.get("Sec-WebSocket-Version") == "13"


def test_upgrade_gets_101():
    with Beacon() as b, Client(b.port) as client:
        got = client.upgrade(Sec_WebSocket_Protocol="pilot.v1")
        assert got.get("Sec-WebSocket-Accept") == ACCEPT
        assert got.get("Upgrade").lower() == "websocket"
        assert got.get("Connection").lower() == "upgrade"
        assert got.get("Sec-WebSocket-Protocol") == "pilot.v1"
        assert got.get("Sec-WebSocket-Extensions") is None
        client.challenge()


def test_subprotocol_only_if_offered():
    with Beacon() as b:
        for offer, want in ((None, None), ("pilot.v1", "pilot.v1"),
                ("chat, pilot.v1", "pilot.v1"),
                ("pilot.v1,chat", "pilot.v1"), ("chat", None),
                ("pilot.v10", None), ("Pilot.v1", None),
                ("PILOT.V1", None)):
            with Client(b.port) as client:
                got = client.upgrade(Sec_WebSocket_Protocol=offer)
                assert got.get("Sec-WebSocket-Protocol") == want, offer
                client.challenge()


def test_extensions_are_not_taken_up():
    with Beacon() as b, Client(b.port) as client:
        got = client.upgrade(
            Sec_WebSocket_Extensions="permessage-deflate")
        assert got.get("Sec-WebSocket-Extensions") is None


def test_upgrade_headers_in_any_case_and_order():
    with Beacon() as b:
        check(b, 101,
            b"GET /v1/compat HTTP/1.1\r\n"
            b"sec-websocket-key:%s\r\nSEC-WEBSOCKET-VERSION:13  \r\n"
            b"connection:keep-alive ,\tUPGRADE\r\nuPGRADE: WebSocket\r\n"
            b"hOST: x\r\n\r\n" % KEY.encode())


def test_head_one_byte_at_a_time():
    with Beacon() as b, Client(b.port) as client:
        client.send_bytewise(request())
        assert client.answer().status == 101
        client.challenge()


def test_frame_in_the_same_segment_as_the_head():
    with Beacon() as b, Client(b.port) as client:
        client.send(request() + frame(PING, b"early"))
        assert client.answer().status == 101
        got = [client.recv_frame() for _ in range(2)]
        assert (True, PONG, b"early") in got, got
        assert TEXT in [opcode for _, opcode, _ in got]


def test_probe_gets_426():
    with Beacon() as b:
        check_426(ask(b, request(upgrade=False)))
        check_426(ask(b, request(upgrade=False, Connection="close")))
        check_426(ask(b, request(upgrade=False, Connection="keep-alive")))


def test_other_version_gets_426():
    with Beacon() as b:
        for version in ("8", "0", "130", "12", "x", None):
            check_426(ask(b, request(Sec_WebSocket_Version=version)))


def test_malformed_upgrade_gets_400():
    with Beacon() as b:
        check(b, 400,
            request(Sec_WebSocket_Key=None),
            request(Sec_WebSocket_Key=""),
            request(Sec_WebSocket_Key="AAAA"),
            request(Sec_WebSocket_Key=KEY[:-1]),
            request(Sec_WebSocket_Key=KEY[:-2] + "=="[:1] + "A"),
            request(Sec_WebSocket_Key="!" * 22 + "=="),
            request(Sec_WebSocket_Key=KEY[:-2] + "aaaa=="),
            request(Content_Length="5") + b"hello",
            request(Transfer_Encoding="chunked") + b"0\r\n\r\n",
            request(host=None))


def test_duplicate_single_header_gets_400():
    with Beacon() as b:
        check(b, 400,
            request(extra=["Sec-WebSocket-Key: " + KEY]),
            request(extra=["Sec-WebSocket-Version: 13"]),
            request(extra=["Host: other.example"]),
            request(Origin="http://beacon.example",
                extra=["Origin: http://beacon.example"]),
            request(Content_Length="0", extra=["Content-Length: 0"]))


def test_malformed_request_gets_400():
    with Beacon() as b:
        check(b, 400,
            b"\x00\x01\x02\r\n\r\n",
            b"GET\r\nHost: x\r\n\r\n",
            b"GET /v1/compat\r\nHost: x\r\n\r\n",
            b"GET  /v1/compat HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/compat HTTP/2.0\r\nHost: x\r\n\r\n",
            b"GET /v1/compat HTTP/1.1 \r\nHost: x\r\n\r\n",
            b"GET /v1/compat FTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
            b"GET /v1/compat HTTP/1.1\r\nHost: x\r\nA: \r\r\n\r\n")


def test_absolute_form_is_accepted():
    """Its host stands for the field's, RFC 9112 section 3.2.2."""
    with Beacon() as b:
        for scheme in ("http", "https", "HTTP"):
            check(b, 101, request(scheme + "://a.example:81/v1/compat"))
        check(b, 426, request("http://a/v1/compat", upgrade=False))
        check(b, 200, request("http://a/health", upgrade=False))
        check(b, 404, request("http://a"), request("http://a/x"),
            request("ftp://a/v1/compat"))
        check(b, 405, request("http://a/v1/compat", "POST"))
        check(b, 400, request("http:///v1/compat"),
            request("http://u@a/v1/compat"), request("http://a:b/v1/compat"),
            request("http://a/v1/compat", host=None))
        check(b, 101, request("http://a/v1/compat", Origin="https://a"))
        check(b, 403, request("http://a/v1/compat",
            Origin="https://beacon.example"))


def test_empty_line_before_the_request_is_ignored():
    with Beacon() as b:
        check(b, 101, b"\r\n" + request())
        check(b, 400, b"\r\n\r\n" + request(), b"\n" + request())
        with Client(b.port) as client:
            client.send_bytewise(b"\r\n" + request() + frame(PING, b"1"))
            assert client.answer().status == 101
            assert PONG in [client.recv_frame()[1] for _ in range(2)]


def test_higher_minor_version_is_taken_as_1_1():
    with Beacon() as b:
        check(b, 101, *(request(version="HTTP/1.%d" % i)
            for i in range(2, 10)))
        check(b, 400, request(version="HTTP/1.10"),
            request(version="HTTP/1.2", host=None))


def test_host_that_is_none_gets_400():
    with Beacon() as b:
        check(b, 400, *(request(host=host) for host in ("a:b", "a:1:2",
            "::1", "[::1", "[a]", "[::1]x", "a%", "a%2", "a%zz", "a b",
            "u@a", "a/b", ":80", "a:65536", "a,b")))
        check(b, 101, *(request(host=host) for host in ("", "a:", "a:80",
            "[::1]", "[::1]:80", "a%20b", "1.2.3.4:5", "[v1.x]")))


def test_body_whose_end_is_not_certain_gets_400():
    with Beacon() as b:
        for path in ("/v1/compat", "/health", "/x"):
            check(b, 400, *(request(path, upgrade=False, **fields)
                for fields in (dict(Transfer_Encoding="gzip"),
                    dict(Transfer_Encoding="chunked, gzip"),
                    dict(Transfer_Encoding="chunked", Content_Length="5"),
                    dict(Content_Length="5, 6"), dict(Content_Length="+5"))))
        check(b, 200, request("/health", upgrade=False,
            Transfer_Encoding="chunked"))


def line_ends(data, other):
    """The request with another end of line, at each of its places."""
    lines = data.split(b"\r\n")[:-1]
    for i in range(len(lines)):
        yield b"".join(line + (other if i == j else b"\r\n")
            for j, line in enumerate(lines))


def fields_badly_spelt():
    """What one parser takes for a field and another does not."""
    for name in ("Content-Length", "Transfer-Encoding", "Host"):
        value = {"Content-Length": "5", "Host": "b.example"}.get(name,
            "chunked")
        for line in (" %s: %s", "\t%s: %s", "%s : %s", "%s\t: %s", "%s:\n%s",
                "%s:\r%s", "\0%s: %s", "%s\0: %s", "%s: %s\0", "X: y\n%s: %s",
                "X: y\r%s: %s", "X: y\r\n %s: %s", "\x0b%s: %s", "%s;: %s",
                "\xa0%s: %s", "%s: \x0b%s", "(%s): %s"):
            yield request("/health", upgrade=False,
                extra=[line % (name, value)])


def bodies_of_two_lengths():
    for fields in (["Content-Length: 0", "content-length: 5"],
            ["Content-Length: 5", "CONTENT-LENGTH: 5"],
            ["Content-Length: 0, 0"], ["Content-Length: 0x5"],
            ["Content-Length: -0"], ["Content-Length: 5 5"],
            ["Content-Length: 5;"], ["Content-Length:"],
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked", "Content-Length: 0"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            ["Transfer-Encoding: chunked;x"], ["Transfer-Encoding: xchunked"],
            ["Transfer-Encoding: \"chunked\""], ["Transfer-Encoding:"],
            ["Transfer-Encoding: chunked x"]):
        yield request("/health", upgrade=False, extra=fields)
    yield request("/health", version="HTTP/1.0", upgrade=False,
        Transfer_Encoding="chunked")


def test_shapes_that_smuggle_get_400_and_what_is_behind_them_nothing():
    """One answer, and the end: no second request is ever read."""
    behind = request("/health", upgrade=False)
    shapes = [*line_ends(request(), b"\n"), *line_ends(request(), b"\r"),
        *fields_badly_spelt(), *bodies_of_two_lengths()]
    with Beacon() as b, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(b.port)) for _ in shapes]
        for client, shape in zip(clients, shapes):
            client.send(shape + behind)
        for client, shape in zip(clients, shapes):
            got = client.answer()
            assert got.status == 400, (got.status, shape)
        for client in clients:
            client.expect_end()


def test_second_request_is_not_answered():
    """Nor is what follows a head that announces a body."""
    firsts = ((200, request("/health", upgrade=False)),
        (200, request("/health", "HEAD", upgrade=False)),
        (200, request("/health", upgrade=False, Content_Length="5")),
        (404, request("/x")), (426, request(upgrade=False)))
    with Beacon() as b, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(b.port)) for _ in firsts]
        for client, (_, first) in zip(clients, firsts):
            client.send(first + request("/health", upgrade=False))
        for client, (status, first) in zip(clients, firsts):
            method = first.split(b" ")[0].decode()
            assert client.answer(method).status == status, first
        for client in clients:
            client.expect_end()


def test_foreign_origin_gets_403():
    with Beacon() as b:
        check(b, 403,
            request(Origin="https://evil.example"),
            request(Origin="null"),
            request(Origin="https://beacon.example.evil.example"),
            request(Origin="https://evil.example/beacon.example"),
            request(Origin="https://xbeacon.example"))
        check(b, 101,
            request(Origin="https://beacon.example"),
            request(Origin="https://BEACON.example"),
            request(Origin="pilot://anything"),
            request(host="beacon.example:8443",
                Origin="https://beacon.example:8443"))


def test_upgrade_at_capacity_gets_503():
    with Beacon("max peers 1") as b, login(b, 1):
        b.wait_peers(1)
        got = ask(b, request())
        assert got.status == 503, got.status
        assert got.body.strip() == b"wss: at capacity", got.body
        check_426(ask(b, request(upgrade=False)))
        assert b.metric("wss_refused", reason="capacity") == 1


def test_place_is_free_again_after_capacity():
    with Beacon("max peers 1") as b:
        with login(b, 1):
            b.wait_peers(1)
            assert ask(b, request()).status == 503
        b.wait_peers(0)
        login(b, 2).close()


def test_upgrades_above_the_rate_of_a_source_get_429():
    with Beacon("source upgrade limit 5", workers=1) as b:
        def status(source):
            return ask(b, request(X_Forwarded_For=source)).status
        got = [status("192.0.2.1") for _ in range(20)]
        assert got[:5] == [101] * 5, got
        assert 429 in got, got
        assert status("192.0.2.2") == 101
        assert b.metric("wss_refused", reason="rate") == got.count(429)


def test_v6_source_counts_by_its_network():
    with Beacon("source upgrade limit 5", workers=1) as b:
        got = [ask(b, request(X_Forwarded_For="2001:db8::%x" % i)).status
            for i in range(1, 21)]
        assert 429 in got, got


def test_proxy_itself_is_not_limited():
    with Beacon("source upgrade limit 5", workers=1) as b:
        assert [ask(b, request()).status for _ in range(20)] == [101] * 20


def test_health_gets_200():
    with Beacon() as b:
        for method in ("GET", "HEAD"):
            got = ask(b, request("/health", method, upgrade=False), method)
            assert got.status == 200, got.status
            assert got.body == b""
            assert got.get("Content-Length") == "0"


def test_other_path_gets_404():
    with Beacon() as b:
        check(b, 404, *(request(path, upgrade=upgrade)
            for path in ("/", "/v1/compat2", "/v1/compa", "/v1/compat/",
                "/healthz", "/V1/compat", "*")
            for upgrade in (False, True)))


def test_other_method_gets_405_with_allow():
    with Beacon() as b:
        for path, method, allow in (("/v1/compat", "POST", "GET"),
                ("/v1/compat", "DELETE", "GET"),
                ("/health", "POST", "GET, HEAD"),
                ("/health", "OPTIONS", "GET, HEAD")):
            got = ask(b, request(path, method, upgrade=False))
            assert got.status == 405, (path, method, got.status)
            assert got.get("Allow") == allow, got.get("Allow")


def test_head_over_16_KiB_gets_431():
    with Beacon() as b:
        check(b, 431,
            request(extra=["X: " + "a" * 17000]),
            request(extra=["X: " + "a" * 100] * 90 + ["X: " + "a" * 9000]))
        check(b, 101, request(extra=["X: " + "a" * 16000]))


def of_line(size):
    """A request whose first line has that many octets."""
    return request("/v1/compat?" + "a" * (size - 24))


def test_request_line_over_8000_octets_gets_414():
    with Beacon() as b:
        check(b, 414, of_line(8001), of_line(100000), b"a" * 9000,
            b"\r\n" + of_line(8001), of_line(8001).split(b"\r")[0])
        fields = ["X-Forwarded-For: 192.0.2.1", "X: " + "a" * 7500]
        check(b, 101, of_line(8000),
            request("/v1/compat?" + "a" * 7976, extra=fields))
        with Client(b.port) as client:
            client.send_bytewise(of_line(8000))
            assert client.answer().status == 101


def test_every_answer_but_101_has_a_date():
    with Beacon("max peers 1\nsource upgrade limit 5") as b, \
            login(b, 1) as client:
        b.wait_peers(1)
        got = [ask(b, data) for data in (
            request("/health", upgrade=False), request(Content_Length="x"),
            request(Origin="http://evil.example"), request("/x"),
            request("/health", "POST"), of_line(9000),
            request(upgrade=False), request(extra=["X: " + "a" * 17000]),
            request(version="HTTP/1.0"), request())]
        got.append(ask(b, request()[:-1]))
        assert [answer.status for answer in got] == [200, 400, 403, 404, 405,
            414, 426, 431, 400, 503, 408]
        for answer in got:
            date = email.utils.parsedate_to_datetime(answer.get("Date"))
            assert answer.get("Date") == email.utils.format_datetime(date,
                usegmt=True)
            age = time.time() - date.timestamp()
            assert -1 < age < 30, answer.get("Date")
    with Beacon() as b, Client(b.port) as client:
        assert client.upgrade().get("Date") is None


def test_date_follows_the_clock():
    with Beacon(workers=1) as b:
        def date():
            return ask(b, request("/health", upgrade=False)).get("Date")
        first = date()
        wait_for(lambda: date() != first, what="another date")


def test_endless_head_gets_431():
    with Beacon() as b, Client(b.port) as client:
        client.send(b"GET /v1/compat HTTP/1.1\r\n")
        try:
            for _ in range(200):
                client.send(b"X-Field: some value of some length\r\n" * 8)
        except OSError:
            pass
        try:
            assert client.answer().status == 431
        except Ended as why:
            # What was still under way may have reset the connection.
            assert str(why) == "reset", why


def test_unfinished_head_gets_408():
    with Beacon() as b, Client(b.port) as client:
        start = time.monotonic()
        client.send(request()[:-2])
        assert client.answer().status == 408
        took = time.monotonic() - start
        assert 4 < took < 8, took
        client.expect_end()


def test_trickled_head_gets_408():
    with Beacon() as b, Client(b.port) as client:
        start = time.monotonic()
        status = None
        for byte in request(extra=["X: " + "a" * 300]):
            client.send(bytes([byte]))
            try:
                status = client.answer(bound=0.2).status
                break
            except TimeoutError:
                assert time.monotonic() - start < 8, "still waiting"
        assert status == 408, status


def test_silent_connection_is_closed():
    with Beacon() as b, Client(b.port) as client:
        start = time.monotonic()
        try:
            assert client.answer().status == 408
        except Ended:
            pass
        assert 4 < time.monotonic() - start < 8


def test_refusal_closes_the_connection():
    with Beacon() as b:
        for data in (request(Sec_WebSocket_Key=None), request(path="/x"),
                request(Origin="http://evil.example")):
            with Client(b.port) as client:
                client.send(data)
                client.answer()
                client.expect_end()


def test_upgrade_counters():
    with Beacon() as b:
        check(b, 400, request(Sec_WebSocket_Key=None))
        check(b, 403, request(Origin="http://evil.example"))
        check(b, 426, request(upgrade=False))
        with Client(b.port) as client:
            client.upgrade()
            b.wait_metric(1, "connections", outcome="upgrade_ok")
        assert b.metric("connections", outcome="upgrade_fail") == 2
        assert b.metric("http_probes") == 1


def test_ipv6_listener():
    with Beacon("listen on ::1 port 0", listen=False) as b:
        with Client(b.port, host="::1") as client:
            client.login(1)
            client.send_to(1, b"to myself")
            assert client.next()[0] == BINARY


def test_several_listeners():
    with Beacon("listen on 127.0.0.1 port 0") as b:
        assert len(set(b.ports)) == 2, b.ports
        with Client(b.ports[0]).login(1) as one, \
                Client(b.ports[1]).login(2) as two:
            one.send_to(2, b"across")
            two.expect_from(1, b"across")
