# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Whose a connection is, by the word of a proxy that is trusted or is not.

127.0.0.2 is the proxy throughout, other addresses are strangers or clients.
"""

import contextlib
import socket
import struct
import time

import pytest

from beacon import Beacon, wait_for
from client import Client, request
from test_strangers import half_opens, is_open
from udp import Udp, command

PROXY = "127.0.0.2"
TRUST = "trusted proxy { %s, 10.0.0.0/8 }" % PROXY
LISTEN = "listen on 127.0.0.1 port 0 proxy protocol\n" + TRUST
V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_TIMEOUT = 3           # seconds
CLIENT = ("192.0.2.7", 4711)


def v1(host=CLIENT[0], port=CLIENT[1]):
    family, to = ("TCP6", "::1") if ":" in host else ("TCP4", "127.0.0.1")
    return ("PROXY %s %s %s %d 443\r\n" % (family, host, to, port)).encode()


def v2(host=CLIENT[0], port=CLIENT[1], values=b"", command=0x21):
    family, code = (socket.AF_INET6, 0x21) if ":" in host else (
        socket.AF_INET, 0x11)
    block = socket.inet_pton(family, host) * 2 + struct.pack(">HH", port,
        443) + values
    return V2 + struct.pack(">BBH", command, code, len(block)) + block


class Proxied(Beacon):
    """self.proxied: the port where connections begin with a PROXY header."""

    def start(self, *args):
        super().start(*args)
        self.proxied, = self.listening("websocket, proxy protocol")


@contextlib.contextmanager
def peer(beacon, before=b"", source=PROXY, port=None, bytewise=False, **head):
    """Node 1, logged in behind a proxy."""
    with Client(port or beacon.port, source=source) as client:
        whole = before + request(**head)
        client.send_bytewise(whole) if bytewise else client.send(whole)
        assert client.answer().status == 101
        client.send_text(client.reply(1, client.challenge()))
        client.expect(1)
        client.node = 1
        yield client


def address(beacon):
    """What show peer has of node 1; without a port if none is known."""
    return beacon.ctl("show", "peer", 1)["address"]


def told(client):
    """What a Discover is answered."""
    client.send_packet(struct.pack(">BI", 1, client.node))
    return client.recv_packet()


def statuses(beacon, count, before=b"", source=PROXY, port=None, **head):
    def ask():
        with Client(port or beacon.port, source=source) as client:
            client.send(before + request(**head))
            return client.answer().status
    return [ask() for _ in range(count)]


def refuse(beacon, reason, *begins, source=PROXY):
    """Each is closed without a word, counted, and said why in the log."""
    for n, begin in enumerate(begins, 1):
        mark = len(beacon.lines)
        with Client(beacon.proxied, source=source) as client:
            client.send(begin)
            client.expect_end()
        beacon.wait_metric(n, "failures", stage="proxy", reason=reason)
        beacon.wait_line("event=proxy-refused .*remote=%s:.* reason=%s" %
            (source, reason), after=mark)


# X-Forwarded-For and Forwarded

def test_trusted_proxy_tells_whom_it_speaks_for():
    with Beacon(TRUST) as b:
        with peer(b, X_Forwarded_For="6.6.6.6, 192.0.2.7, 10.1.2.3") as client:
            assert address(b) == "192.0.2.7"
            assert told(client) == command(2, "192.0.2.7", 0)
        with peer(b, X_Forwarded_For="2001:db8::1",
                extra=["X-Forwarded-For: 10.0.0.1"]) as client:
            assert address(b) == "2001:db8::1"
            assert told(client) == command(2, "2001:db8::1", 0)


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.3"])
def test_nobody_else_is_believed(source):
    """Not even this machine, once others are named."""
    with Beacon(TRUST) as b, peer(b, source=source,
            X_Forwarded_For="192.0.2.7", Forwarded="for=192.0.2.7") as client:
        host, port = client.sock.getsockname()
        assert host == source and address(b) == "%s:%d" % (host, port)
        assert told(client) == command(2, host, port)


def test_proxies_write_the_field_that_is_configured():
    """The other one is what the client wrote."""
    both = dict(X_Forwarded_For="192.0.2.1",
        Forwarded='for=6.6.6.6, for="192.0.2.2:80";proto=https, for=10.0.0.9')
    for conf, want in (("", "192.0.2.1"),
            ("\ntrusted proxy header forwarded", "192.0.2.2")):
        with Beacon(TRUST + conf) as b:
            with peer(b, **both):
                assert address(b) == want
            for name in both:
                with peer(b, **{name: both[name]}):
                    mine = (name == "Forwarded") == (conf != "")
                    assert address(b).split(":")[0] == (
                        want if mine else PROXY)


def test_limits_are_the_clients():
    conf = TRUST + "\nsource upgrade limit 5"
    with Beacon(conf, workers=1) as b:
        def of(source):
            return statuses(b, 12, X_Forwarded_For=source)
        assert 429 in of("192.0.2.1")
        assert statuses(b, 1, X_Forwarded_For="192.0.2.2") == [101]
        # A stranger is a client, whatever it says.
        assert 429 in statuses(b, 12, source="127.0.0.3")


def test_no_limit_of_one_source_holds_for_a_proxy():
    """Nor for one that names nobody whom we understand, which is counted."""
    with Beacon(TRUST + "\nsource upgrade limit 5", workers=1) as b:
        assert statuses(b, 12) == [101] * 12
        assert statuses(b, 12, X_Forwarded_For="10.0.0.9") == [101] * 12
        assert b.metric("proxy_unknown") == 0
        assert statuses(b, 12, X_Forwarded_For="unknown") == [101] * 12
        assert b.metric("proxy_unknown") == 12
        b.wait_line("proxy %s: no address of a client in X-Forwarded-For" %
            PROXY)


def test_punch_limit_is_not_the_proxys():
    """But the one for all holds."""
    conf = TRUST + "\npunch source limit 1\npunch total limit 4"
    with Beacon(conf, workers=1, udp=True) as b, Udp(b.udp_port, 6) as u:
        u.join(b)
        for head, served in (({}, 4), ({"X_Forwarded_For": "192.0.2.7"}, 1)):
            refused = b.metric("punch_refused", reason="rate")
            unknown = b.metric("punch_refused", reason="unknown")
            with peer(b, **head) as client:
                # Within a second of the beacon's clock.
                time.sleep(1 - time.clock_gettime(
                    time.CLOCK_MONOTONIC) % 1 + 0.3)
                for _ in range(6):
                    client.send_packet(struct.pack(">BII", 3, 1, 6))
                client.in_step()
                assert b.metric("punch_refused", reason="unknown") == \
                    unknown + served
                assert b.metric("punch_refused", reason="rate") == \
                    refused + 6 - served


def test_reload_of_the_trusted():
    with Beacon("trusted proxy 127.0.0.3") as b, \
            Client(b.port) as stays:
        stays.login(9)
        def of_peer():
            with peer(b, X_Forwarded_For="192.0.2.7"):
                return address(b)
        assert of_peer().startswith(PROXY + ":")
        b.write_conf(TRUST)
        b.ctl("reload", text=True)
        wait_for(lambda: of_peer() == "192.0.2.7")
        b.write_conf("")
        b.ctl("reload", text=True)
        # By itself all of this machine is trusted, and that one too.
        assert of_peer() == "192.0.2.7"
        stays.send_to(9, b"still here")
        stays.expect_from(9, b"still here")


# The PROXY protocol

@pytest.mark.parametrize("bytewise", [False, True])
def test_header_tells_the_clients_address_and_port(bytewise):
    with Proxied(LISTEN) as b:
        for begin in (v1(), v2(), v2(values=b"\x04\0\x02xx\xee\0\0")):
            with peer(b, begin, port=b.proxied, bytewise=bytewise) as client:
                assert address(b) == "192.0.2.7:4711"
                assert told(client) == command(2, *CLIENT)
        for begin in (v1("2001:db8::1", 1), v2("2001:db8::1", 1)):
            with peer(b, begin, port=b.proxied, bytewise=bytewise) as client:
                assert address(b) == "[2001:db8::1]:1"
                assert told(client) == command(2, "2001:db8::1", 1)


def test_header_without_a_client_leaves_the_proxys_address():
    with Proxied(LISTEN + "\nsource upgrade limit 5", workers=1) as b:
        for begin in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c\r\n",
                v2(command=0x20), V2 + b"\x20\0\0\0", V2 + b"\x21\0\0\x02xx",
                V2 + b"\x21\x31\0\xd8" + b"/" * 216):
            with peer(b, begin, port=b.proxied) as client:
                assert address(b) == "%s:%d" % client.sock.getsockname()
        assert statuses(b, 12, b"PROXY UNKNOWN\r\n", port=b.proxied) == \
            [101] * 12


def test_client_behind_the_header_is_not_believed():
    """But a proxy behind the proxy is."""
    with Proxied(LISTEN) as b:
        head = dict(X_Forwarded_For="6.6.6.6")
        with peer(b, v1(), port=b.proxied, **head):
            assert address(b) == "192.0.2.7:4711"
        with peer(b, v1("10.0.0.7"), port=b.proxied, **head):
            assert address(b) == "6.6.6.6"


def test_what_is_no_good_header_ends_the_connection():
    with Proxied(LISTEN) as b:
        refuse(b, "malformed", request(), b"\x16\x03\x01",
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n", b"PROXY UNKNOWN\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n", b"PROXY " + b"x" * 101,
            V2 + b"\x11\x11\0\0", V2 + b"\x21\x11\0\x0bxxxxxxxxxxx",
            V2 + b"\x21\x51\0\0", V2 + b"\x21\x11\xff\xff",
            v2(values=b"\x04\0\x09x"))
        assert b.metric("http_errors") == 0
        with peer(b, v1(), port=b.proxied):
            assert address(b) == "192.0.2.7:4711"


def test_header_of_a_stranger_is_not_even_read():
    with Proxied(LISTEN) as b:
        refuse(b, "untrusted", v1(), v2(), request(),
            source="127.0.0.1")
        assert b.metric("failures", stage="proxy",
            reason="malformed") == 0


def test_other_listener_takes_no_header():
    with Proxied(LISTEN) as b, Client(b.port, source=PROXY) as client:
        client.send(v1() + request())
        assert client.answer().status == 400


def test_header_has_a_time_of_its_own():
    """The request has another after that."""
    with Proxied(LISTEN) as b, \
            Client(b.proxied, source=PROXY) as half, \
            Client(b.proxied, source=PROXY) as good:
        start = time.monotonic()
        half.send(v1()[:-1])
        good.send(v1())
        half.expect_end()
        assert PROXY_TIMEOUT - 0.5 < time.monotonic() - start
        b.wait_metric(1, "failures", stage="proxy", reason="timeout")
        b.wait_line(
            "event=proxy-refused node=- remote=%s:%d .* reason=timeout" %
            half.sock.getsockname())
        good.send(request())
        assert good.answer().status == 101


def test_limits_are_those_of_the_headers_client():
    with Proxied(LISTEN + "\nsource upgrade limit 5", workers=1) as b:
        assert 429 in statuses(b, 12, v1(), port=b.proxied)
        assert statuses(b, 1, v1("192.0.2.8"), port=b.proxied) == [101]


def test_half_open_connections_count_by_the_headers_client():
    """As soon as it is known, before there is a request."""
    def unfinished(begin):
        client = Client(b.proxied, source=PROXY)
        client.send(begin)
        return client
    with Proxied(LISTEN + "\nsource upgrade limit 5", workers=1) as b, \
            contextlib.ExitStack() as stack:
        def crowd(begin, count):
            got = [stack.enter_context(unfinished(begin))
                for _ in range(count)]
            b.wait_metric(b.expected + count, "accepted")
            b.expected += count
            return got
        b.expected = 0
        # Of a header that is not whole it is not known whose it is.
        unknown = crowd(b"PROXY ", 12) + crowd(b"PROXY UNKNOWN\r\n", 12)
        known = crowd(v1(), 5)
        for client in crowd(v1(), 2):
            client.expect_end()
        assert half_opens(b) == 2
        other = crowd(v1("192.0.2.8"), 1)
        assert all(map(is_open, unknown + known + other))
