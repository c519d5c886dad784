# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What is lost when a process dies, and what is not."""

import os
import signal
import struct
import threading
import time

import keys
from beacon import IS_ROOT, Beacon, alive, limit, wait_for
from client import Client, Ended, login, request


def by_worker(beacon, nodes, **how):
    """Logs the nodes in; returns their clients, one list per worker."""
    clients = {node: login(beacon, node, **how) for node in nodes}
    beacon.wait_peers(len(clients))
    found = {}
    for peer in beacon.peers():
        found.setdefault(peer["worker"], []).append(clients[peer["node"]])
    assert len(found) >= 2, "all on one worker"
    return found


class Chat(threading.Thread):
    """Numbered packets from one to two and back, until told to stop."""

    def __init__(self, one, two):
        super().__init__(daemon=True)
        self.ends = one, two
        self.done = threading.Event()
        self.count = 0
        self.error = None

    def run(self):
        one, two = self.ends
        try:
            while not self.done.is_set():
                data = struct.pack(">I", self.count)
                one.send_to(two.node, data)
                two.expect_from(one.node, data, 5)
                two.send_to(one.node, data)
                one.expect_from(two.node, data, 5)
                self.count += 1
        except Exception as why:
            self.error = "packet %d: %r" % (self.count, why)

    def stop(self):
        self.done.set()
        self.join()
        assert self.error is None, self.error
        assert self.count > 0


def test_killed_worker_costs_only_its_own_peers():
    with Beacon() as b:
        clients = by_worker(b, range(1, 25))
        keep, lose = clients[0], clients[1]
        assert len(keep) >= 2 and len(lose) >= 1
        chat = Chat(keep[0], keep[1])
        chat.start()
        wait_for(lambda: chat.count > 10)
        old = b.kill("worker", 1)
        for client in lose:
            client.expect_end()
        # No ghost: exactly those whose sessions live are in the map.
        wait_for(lambda: {p["node"] for p in b.peers()} ==
            {c.node for c in keep})
        # Back to the same port, at once.
        again = [login(b, c.node) for c in lose]
        for client in again:
            keep[-1].send_to(client.node, b"welcome back")
            client.expect_from(keep[-1].node, b"welcome back")
        b.wait_new("worker", old, 1)
        before = chat.count
        wait_for(lambda: chat.count > before + 100)
        chat.stop()
        assert len(b.peers()) == 24
        for client in keep + again:
            client.close()


def test_new_worker_takes_part():
    """Its channels to auth and to its sibling are wired anew."""
    with Beacon() as b:
        for _ in range(3):
            old = b.kill("worker", 1)
            b.wait_new("worker", old, 1, 15)
        found = by_worker(b, range(1, 33))
        one, two = found[0][0], found[1][0]
        one.send_to(two.node, b"x")
        two.expect_from(one.node, b"x")
        two.send_to(one.node, b"y")
        one.expect_from(two.node, b"y")
        restarts = {c["worker"]: c["restarts"] for c in b.children()
            if c["role"] == "worker"}
        assert restarts == {0: 0, 1: 3}, restarts
        for client in sum(found.values(), []):
            client.close()


def test_connections_not_yet_accepted_survive_a_worker():
    with Beacon(workers=1) as b:
        pid = b.pid_of("worker")
        os.kill(pid, signal.SIGSTOP)
        clients = [Client(b.port) for _ in range(10)]
        for client in clients:
            client.send(request())
        os.kill(pid, signal.SIGKILL)
        b.wait_new("worker", pid)
        for client in clients:
            assert client.answer().status == 101
            client.close()


def test_both_workers_killed():
    with Beacon() as b:
        clients = by_worker(b, range(1, 25))
        old = [b.kill("worker", n) for n in (0, 1)]
        for client in sum(clients.values(), []):
            client.expect_end()
        b.wait_peers(0)
        for n in (0, 1):
            b.wait_new("worker", old[n], n)
        with login(b, 1) as one, login(b, 2) as two:
            one.send_to(2, b"x")
            two.expect_from(1, b"x")


def test_killed_auth_stops_no_session_and_logins_come_back():
    with Beacon() as b:
        clients = by_worker(b, range(1, 25))
        one, two = clients[0][0], clients[1][0]
        chat = Chat(one, two)
        chat.start()
        wait_for(lambda: chat.count > 10)
        old = b.kill("auth")
        start = time.monotonic()
        new = until_login(b, 30, start + 10)
        took = time.monotonic() - start
        print("login %.3f s after the kill" % took)
        assert took < 1, "%.3f s" % took
        before = chat.count
        wait_for(lambda: chat.count > before + 100)
        chat.stop()
        b.wait_new("auth", old)
        assert len(b.peers()) == 25
        for client in [new] + sum(clients.values(), []):
            client.close()


def until_login(beacon, node, end):
    while True:
        client = Client(beacon.port)
        try:
            return client.login(node)
        except (AssertionError, Ended, OSError):
            client.close()
            assert time.monotonic() < end, "no login"


def test_login_under_way_when_auth_dies_is_answered():
    """Refused or admitted by its successor, but not left alone."""
    with Beacon("auth timeout 3") as b, Client(b.port) as client:
        client.upgrade()
        challenge = client.challenge()
        old = b.kill("auth")
        b.wait_new("auth", old)
        client.send_text(client.reply(1, challenge))
        opcode, _ = client.next(6)
        assert opcode in (1, 8), opcode


def test_auth_that_comes_up_without_keys_gets_them_when_they_are_there():
    with Beacon() as b, login(b, 1) as one:
        os.rename(b.keys_path, b.keys_path + ".gone")
        b.wait_new("auth", b.kill("auth"))
        b.wait_line("no key file: nobody of it can log in until there is one")
        with Client(b.port) as client:
            client.send_reply(2)
            client.expect_close(1008)
        os.rename(b.keys_path + ".gone", b.keys_path)
        until_login(b, 2, time.monotonic() + 20).close()
        one.in_step()


def test_a_key_file_without_a_key_costs_nothing():
    """Whoever writes it has just begun, or it is not there at all."""
    with Beacon("max peers 100") as b, login(b, 1) as one:
        b.write_conf("max peers 200")
        gone = b.keys_path + ".gone"
        os.rename(b.keys_path, gone)
        for empty in (False, True):
            if empty:
                b.write_keys("")
            b.ctl("upgrade", ok=1)
            b.ctl("reload", ok=1)
            assert b.ctl("show", "summary")["max_peers"] == 100
        login(b, 2).close()
        # Nor does a new auth believe it, whoever has read it.
        b.write_keys("# nobody yet\n")
        b.wait_new("auth", b.kill("auth"))
        b.wait_line("no key in it, but there were some")
        # Nor does a new parent.
        b.take_over()
        one.in_step()
        os.rename(gone, b.keys_path)
        b.ctl("reload")
        assert b.ctl("show", "summary")["max_peers"] == 200
        login(b, 2).close()
        one.in_step()
        assert b.metric("revoked") == 0


def test_keys_changed_while_auth_was_down_count():
    """A session whose key has gone meanwhile does not survive it."""
    with Beacon(nodes=[1, 2]) as b, login(b, 1) as one, login(b, 2) as two:
        b.write_keys(keys.line(1))
        old = b.kill("auth")
        b.wait_new("auth", old)
        two.expect_close(1008)
        one.send_to(1, b"x")
        one.expect_from(1, b"x")


@limit(90)
def test_auth_that_keeps_dying_ends_the_daemon():
    b = Beacon()
    try:
        b.start()
        end = time.monotonic() + 70
        while b.proc.poll() is None:
            assert time.monotonic() < end, "still running"
            try:
                b.kill("auth")
            except (ProcessLookupError, AssertionError):
                pass
            time.sleep(0.05)
        assert b.proc.returncode not in (0, None)
        b.check_no_process()
    finally:
        b.clean_up()


def test_worker_that_keeps_dying_is_started_ever_more_slowly():
    with Beacon() as b:
        start = time.monotonic()
        for _ in range(5):
            b.wait_new("worker", b.kill("worker"))
        took = time.monotonic() - start
        # At once, then after 0.1, 0.2, 0.4 and 0.8 seconds.
        assert took > 1.5, "%.3f s" % took


def test_what_an_operator_does_while_children_are_down():
    """Until the next one is started, nobody holds their places."""
    with Beacon("peer beacon 127.0.0.9 port 9\nbeacon id 7", udp=True) as b:
        for _ in range(5):
            b.wait_new("worker", b.kill("worker"))
            b.wait_new("auth", b.kill("auth"))
        # The next ones come after 1.6 seconds.
        old = b.kill("worker"), b.kill("auth")
        wait_for(lambda: not b.pid_of("worker") and not b.pid_of("auth"), 1)
        b.proc.send_signal(signal.SIGHUP)
        b.wait_line("configuration read again")
        for what in ("summary", "metrics", "peers", "nodes", "beacons"):
            b.ctl("show", what)
        assert not b.pid_of("worker"), "too early to tell"
        # Over when the next auth has read the keys.
        b.ctl("reload", text=True)
        b.wait_new("worker", old[0])
        b.wait_new("auth", old[1])
        login(b, 1).close()


def test_killed_parent_leaves_no_process():
    b = Beacon()
    try:
        b.start()
        with login(b, 1) as client:
            b.note_children()
            assert len(b.seen) == 3, b.seen
            b.proc.kill()
            b.proc.wait()
            client.expect_end(5)
            b.check_no_process()
    finally:
        b.clean_up()


def test_killed_parent_takes_children_along_that_hang():
    """They cannot see the end of its channel: the kernel ends them."""
    b = Beacon('worker user "games"\nauth user "man"' if IS_ROOT else "")
    try:
        b.start()
        for pid in b.seen:
            os.kill(pid, signal.SIGSTOP)
        b.proc.kill()
        b.proc.wait()
        b.check_no_process()
    finally:
        b.clean_up()


@limit(90)
def test_hung_worker_is_replaced():
    with Beacon(security="hung|answer") as b:
        clients = by_worker(b, range(1, 25))
        pid = b.pid_of("worker", 0)
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: not alive(pid), what="the end of the hung worker")
        b.wait_new("worker", pid, 0)
        wait_for(lambda: {p["node"] for p in b.peers()} ==
            {c.node for c in clients[1]})
        for client in sum(clients.values(), []):
            client.close()


def test_crashed_worker_is_logged():
    with Beacon(security="SIGILL") as b:
        old = b.kill("worker", 0, signal.SIGILL)
        b.wait_new("worker", old, 0)
        b.wait_line("security: .*SIGILL")


# The end

def test_sigterm_says_goodbye():
    b = Beacon()
    try:
        b.start()
        clients = [login(b, node) for node in range(1, 9)]
        b.note_children()
        b.proc.send_signal(signal.SIGTERM)
        for client in clients:
            client.expect_close(1001, "beacon shutting down")
        start = time.monotonic()
        b.ends()
        assert time.monotonic() - start < 2
        b.check_log()
    finally:
        b.clean_up()


def test_sigint_too():
    b = Beacon()
    try:
        b.start()
        with login(b, 1) as client:
            b.note_children()
            b.proc.send_signal(signal.SIGINT)
            client.expect_close(1001, "beacon shutting down")
        b.ends()
    finally:
        b.clean_up()


def test_peer_that_does_not_answer_delays_the_end_3_s_at_most():
    b = Beacon()
    try:
        b.start()
        with login(b, 1):
            start = time.monotonic()
            b.stop()
            assert time.monotonic() - start < 4.5
    finally:
        b.clean_up()


def test_child_that_hangs_delays_the_end_4_s_at_most():
    """Neither a worker that says no goodbye nor auth, which is last."""
    for role in "worker", "auth":
        b = Beacon()
        try:
            b.start()
            b.note_children()
            os.kill(b.pid_of(role), signal.SIGSTOP)
            start = time.monotonic()
            b.stop()
            assert time.monotonic() - start < 6
            b.wait_line("did not end within")
        finally:
            b.clean_up()


def test_second_signal_ends_it_at_once():
    b = Beacon()
    try:
        b.start()
        clients = by_worker(b, range(1, 25))
        # This one would be waited for.
        os.kill(b.pid_of("worker", 0), signal.SIGSTOP)
        start = time.monotonic()
        b.proc.send_signal(signal.SIGTERM)
        clients[1][0].expect_close(1001)
        b.proc.send_signal(signal.SIGTERM)
        b.proc.wait(20)
        assert time.monotonic() - start < 2
        b.check_no_process()
        for client in sum(clients.values(), []):
            client.close()
    finally:
        b.clean_up()


def test_health_says_503_while_draining():
    b = Beacon(workers=1)
    try:
        b.start()
        with login(b, 1), Client(b.port) as health:
            b.note_children()
            # Accepted before the end begins, asks after it.
            health.send(b"GET /health HTTP/1.1\r\nHost: x\r\n")
            late = Client(b.port)
            late.send(request()[:-2])
            with login(b, 2) as polite:
                b.proc.send_signal(signal.SIGTERM)
                polite.expect_close(1001)
            health.send(b"\r\n")
            assert health.answer().status == 503
            late.send(b"\r\n")
            assert late.answer().status == 503
            late.close()
        b.ends()
    finally:
        b.clean_up()
