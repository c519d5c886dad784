# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Many logins: nothing may grow, and a stampede gets in."""

import os
import signal
import struct
import threading
import time

from beacon import Beacon, alone, limit, memory, wait_for
from client import BINARY, CLOSE, Client, frame, login, relay, request

NODES = 2000
ROUNDS = 10
THREADS = 8


def log_in_and_out(beacon, nodes, which, errors):
    """Each node once; every other one leaves without a word."""
    try:
        for node in nodes:
            # Addresses of its own, so that the ports suffice.
            with Client(beacon.port, source="127.0.0.%d" % (which + 2)) as c:
                c.login(node)
                if node & 1:
                    c.send(frame(CLOSE, b"\x03\xe8"))
                    c.expect(CLOSE)
                    c.expect_end()
    except Exception as why:
        errors.append("node %d: %r" % (node, why))


def one_round(beacon):
    errors = []
    threads = [threading.Thread(target=log_in_and_out, args=(beacon,
        range(1 + which, NODES + 1, THREADS), which, errors))
        for which in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[:5]


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def state(beacon):
    pids = [c["pid"] for c in beacon.children()]
    return {pid: (descriptors(pid), memory(pid)) for pid in pids}


@alone
@limit(180)
def test_20000_logins_leave_nothing_behind():
    with Beacon("source upgrade limit 0", nodes=range(1, NODES + 1)) as b:
        one_round(b)
        b.wait_peers(0)
        before = state(b)
        start = time.monotonic()
        for _ in range(ROUNDS):
            one_round(b)
        took = time.monotonic() - start
        b.wait_peers(0)
        total = NODES * (ROUNDS + 1)
        b.wait_metric(total, "connections", outcome="auth_ok")
        assert b.metric("wss_active") == 0
        assert b.ctl("show", "nodes") == []
        assert b.ctl("show", "summary")["nodes"] == 0
        # A control connection may just have been closed.
        wait_for(lambda: {p: s[0] for p, s in state(b).items()} ==
            {p: s[0] for p, s in before.items()}, 5,
            "the descriptors to be as before")
        after = state(b)
        print("%d logins in %.1f s" % (NODES * ROUNDS, took))
        for pid in before:
            print("pid %d: %d descriptors, %d to %d KiB" % (pid,
                after[pid][0], before[pid][1], after[pid][1]))
            grown = after[pid][1] - before[pid][1]
            # 20,000 leaks of a mere 32 bytes would show.
            assert grown < allowance(before[pid][1]), grown


def allowance(kib):
    # The sanitizer keeps freed memory for a while.
    return 16384 if "asan" in os.environ["BEACOND_BUILD"] else 512


@alone
@limit(90)
def test_stampede_of_a_full_house():
    """Everybody is back within seconds of a restart of both workers."""
    count = 1000
    with Beacon("max peers %d" % count, nodes=range(1, count + 1)) as b:
        clients = [login(b, node) for node in range(1, count + 1)]
        b.wait_peers(count, 10)
        # At once, or those of the second even out with the first's successor.
        for pid in [b.pid_of("worker", worker) for worker in (0, 1)]:
            os.kill(pid, signal.SIGKILL)
        for client in clients:
            client.expect_end()
            client.close()
        start = time.monotonic()
        clients = [Client(b.port) for _ in range(count)]
        for client in clients:
            client.upgrade()
        for node, client in enumerate(clients, 1):
            client.send_text(client.reply(node, client.challenge()))
        for client in clients:
            assert b"auth_ok" in client.expect(1)
        print("%d peers back in %.1f s" % (count, time.monotonic() - start))
        b.wait_peers(count, 10)
        for client in clients:
            client.close()


def test_more_connections_than_descriptors_are_not_fatal():
    """Accepting pauses; who is there already goes on."""
    with Beacon(workers=1, nofile=256) as b:
        with login(b, 1) as one, login(b, 2) as two:
            crowd = [Client(b.port) for _ in range(300)]
            wait_for(lambda: b.metric("accept_pauses") > 0)
            start, pauses = time.monotonic(), b.metric("accept_pauses")
            for i in range(20):
                one.send_to(2, b"%d" % i)
                two.expect_from(1, b"%d" % i)
            # It waits a second for each, and does not try all the time.
            time.sleep(1)
            pauses = b.metric("accept_pauses") - pauses
            assert pauses <= time.monotonic() - start + 2, pauses
            for client in crowd:
                client.close()
            wait_for(lambda: can_login(b, 3), what="a login")


def can_login(beacon, node):
    try:
        login(beacon, node).close()
    except Exception:
        return False
    return True


@alone
def test_strangers_that_claim_long_frames_cost_peers_nothing():
    """14 bytes each, on connections that are being closed."""
    strangers = 2100
    claim = struct.pack(">BBQ", 0x82, 0x80 | 127, 65536) + b"mask"
    with Beacon("source upgrade limit 0", workers=1) as b, \
            login(b, 1) as one, login(b, 2) as two:
        crowd = [Client(b.port) for _ in range(strangers)]
        for client in crowd:
            client.send(request())
        for client in crowd:
            client.answer()
        for client in crowd:
            client.challenge()
            client.send(b"\x82\0")            # no mask: 1002
        for client in crowd:
            client.expect(CLOSE)
        for client in crowd:
            client.send(claim)
        packet = frame(BINARY, relay(1, 2, bytes(30000)))
        one.send(packet[:500])
        two.in_step()
        one.send(packet[500:])
        two.expect_from(1, bytes(30000))
        for client in crowd:
            client.close()
