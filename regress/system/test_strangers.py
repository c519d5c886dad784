# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Connections that have not logged in cost those who do nothing."""

import os
import signal
import socket
import statistics
import threading
import time

from beacon import Beacon, alone, wait_for
from client import Client, login, request
from netns import in_own_network, ip
from test_events import wait_event

SOCKETS = 256 - 64      # that a worker of so few descriptors holds


def test_without_auth_the_101_comes_first_or_a_503():
    """Also when as many as there are places wait for a challenge."""
    with Beacon("source upgrade limit 0", workers=1, nofile=256) as b:
        auth = b.pid_of("auth")
        os.kill(auth, signal.SIGSTOP)
        try:
            # 256 challenges may be in hand; who leaves keeps its place.
            for _ in range(256 + SOCKETS + 1):
                status = status_of_upgrade(b)
                if status != 101:
                    break
            assert status == 503, status
            assert b.metric("wss_refused", reason="busy") == 1
            wait_event(b, "upgrade-refused", "busy", status="503")
        finally:
            os.kill(auth, signal.SIGCONT)
        wait_for(lambda: status_of_upgrade(b) == 101)
        login(b, 1).close()


def status_of_upgrade(beacon):
    with Client(beacon.port) as client:
        client.send(request())
        return client.answer().status


class Flood(threading.Thread):
    """So many connections a second that say a little and then nothing."""

    def __init__(self, port, rate, says):
        super().__init__(daemon=True)
        self.port, self.rate, self.says = port, rate, says
        self.done = threading.Event()
        self.socks = []

    def run(self):
        start = time.monotonic()
        while not self.done.wait(0.002):
            while len(self.socks) < self.rate * (time.monotonic() - start):
                self.one()

    def one(self):
        sock = socket.socket()
        sock.setblocking(False)
        self.socks.append(sock)
        try:
            sock.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        try:
            sock.send(self.says)
        except OSError:     # not connected yet: silent, then
            pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()
        for sock in self.socks:
            sock.close()


def logins_under(says):
    """Seconds of each login while 1,000 connections a second come."""
    took = []
    with Beacon(workers=1, nofile=2048) as b, Flood(b.port, 1000, says) as f:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            start = time.monotonic()
            login(b, 1 + len(took) % 32).close()
            took.append(time.monotonic() - start)
            time.sleep(0.1)
        print("%d connections; logins: median %.1f ms, slowest %.1f ms" % (
            len(f.socks), statistics.median(took) * 1e3, max(took) * 1e3))
        assert len(f.socks) > 4000
        assert half_opens(b) > 1000
    return took


@alone
def test_unfinished_heads_do_not_slow_logins():
    assert max(logins_under(request()[:40])) < 1


@alone
def test_unanswered_challenges_do_not_slow_logins():
    assert max(logins_under(request())) < 1


def unfinished(beacon, **how):
    client = Client(beacon.port, **how)
    client.send(request()[:40])
    return client


def unanswered(beacon, source):
    """Upgraded, with the challenge read; or what the refusal was."""
    client = Client(beacon.port)
    client.send(request(X_Forwarded_For=source))
    client.status = client.answer().status
    if client.status == 101:
        client.challenge()
    return client


def is_open(client):
    client.sock.setblocking(False)
    try:
        return client.sock.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def half_opens(beacon):
    return beacon.metric("wss_refused", reason="half_open")


def test_oldest_make_room_when_places_are_short():
    with Beacon(workers=1, nofile=256) as b, login(b, 1) as one:
        crowd = [unfinished(b) for _ in range(SOCKETS - 1)]
        start = time.monotonic()
        b.wait_metric(SOCKETS, "accepted")
        # Each has a second, in which it could log in.
        late = unfinished(b)
        crowd[0].expect_end()
        assert time.monotonic() - start > 0.7
        login(b, 2).close()
        assert time.monotonic() - start < 3
        # Two for two; one place may have been made in advance.
        wait_for(lambda: half_opens(b) >= 2)
        assert half_opens(b) <= 3
        assert not is_open(crowd[1])
        assert all(map(is_open, crowd[3:])) and is_open(late)
        one.send_to(1, b"still here")
        one.expect_from(1, b"still here")
        for client in crowd + [late]:
            client.close()


def test_one_source_makes_room_for_itself():
    """As the proxy reports it."""
    with Beacon("source upgrade limit 10", workers=1) as b:
        other = unanswered(b, "192.0.2.2")
        old = [unanswered(b, "192.0.2.1") for _ in range(10)]
        assert all(client.status == 101 for client in old)
        time.sleep(1.5)         # they have had their second
        new = [unanswered(b, "192.0.2.1") for _ in range(9)]
        assert all(client.status == 101 for client in new)
        for client in old[:9]:
            client.expect_end()
        assert is_open(old[9]) and is_open(other)
        assert all(map(is_open, new))
        assert half_opens(b) == 9
        for client in [other] + old + new:
            client.close()


@in_own_network
def test_one_address_makes_room_for_itself():
    """Without a proxy it is known before the head is."""
    ip("link set lo up")
    ip("addr add 10.99.0.1/24 dev lo")
    with Beacon("source upgrade limit 10\nlisten on 10.99.0.1 port 0",
            workers=1, listen=False) as b:
        how = dict(host="10.99.0.1")
        old = [unfinished(b, **how) for _ in range(10)]
        b.wait_metric(10, "accepted")
        # All of these are younger than a second.
        unfinished(b, **how).expect_end()
        assert all(map(is_open, old))
        time.sleep(1.5)
        new = [unfinished(b, **how) for _ in range(4)]
        for client in old[:4]:
            client.expect_end()
        assert all(map(is_open, old[4:] + new))
        assert half_opens(b) == 5
        for client in old + new:
            client.close()


def test_proxy_on_this_machine_is_no_source():
    with Beacon("source upgrade limit 10", workers=1) as b:
        crowd = [unfinished(b) for _ in range(50)]
        b.wait_metric(50, "accepted")
        time.sleep(1.2)
        crowd += [unfinished(b) for _ in range(10)]
        b.wait_metric(60, "accepted")
        assert all(map(is_open, crowd))
        for client in crowd:
            client.close()
