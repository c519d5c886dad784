# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What the metrics say of processes, bytes, queues, beacons and latencies."""

import os

from beacon import wait_for
from client import Client, login, relay
from test_gossip import gossip_peer, learned
from test_metrics import Metered
from test_slow import flood
from udp import Udp, sync

TOLD_EVERY = 4    # seconds: a child tells at each ping, the parent each second


def processes(b):
    """(role, number, pid) of all of them."""
    return [(c["role"], c.get("worker", 0), c["pid"]) for c in b.children()]


def of(name, role, number=0):
    return 'pilot_beacon_process_%s{role="%s",number="%d"}' % (name, role,
        number)


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def most_memory(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f
            if line.startswith("VmHWM"))


def test_memory_and_descriptors_are_those_of_the_process():
    with Metered(workers=2, udp=True) as b:
        clients = [login(b, n) for n in range(1, 8)]
        where = processes(b)
        assert {role for role, _, _ in where} == {"parent", "auth", "worker",
            "metrics"}
        def same():
            told = b.values()
            return all(told[of("open_fds", role, number)] == open_files(pid)
                for role, number, pid in where)
        wait_for(same, what="the numbers of descriptors of /proc")
        told = b.values()
        for role, number, pid in where:
            memory = told[of("resident_memory_max_bytes", role, number)]
            # The kernel adds up what it counts by CPU now and then.
            assert memory > most_memory(pid) - (1 << 20), role
            # The parent was forked from this test.
            assert role == "parent" or memory < most_memory(pid) + (1 << 20)
        assert told["pilot_beacon_max_fds"] >= 1024
        for client in clients:
            client.close()


def test_bytes_are_counted_both_ways():
    with Metered(workers=1, udp=True) as b, login(b, 1) as one, \
            login(b, 2) as two, Udp(b.udp_port, 5) as u:
        u.discover()
        def bytes_of():
            return [b.metric(name + "_total") for name in ("wss_bytes_in",
                "wss_bytes_out", "udp_bytes", "udp_bytes_out")]
        wait_for(lambda: bytes_of() == bytes_of())
        before = bytes_of()
        one.send_to(2, bytes(1000))
        two.expect_from(1, bytes(1000))
        two.send_to(5, bytes(50))
        u.expect_from(2, bytes(50))
        # Header with mask, Relay; header, Deliver; the same by UDP, bare.
        want = [8 + 9 + 1000 + 6 + 9 + 50, 4 + 5 + 1000, 0, 5 + 50]
        # There may be a ping of each, and its pong.
        wait_for(lambda: all(0 <= now - then - much <= 2 * 6
            for now, then, much in zip(bytes_of(), before, want)), 5, want)


def test_who_has_not_logged_in_and_what_waits():
    with Metered("source packet limit 0\n", workers=1) as b, \
            login(b, 1) as flooder, \
            login(b, 2, rcvbuf=4096), Client(b.port), Client(b.port):
        flood(b, flooder, 2)
        def seen():
            told = b.values()
            return (told[of("logging_in", "worker")] == 2 and
                told[of("connections", "worker")] == 4 and
                told[of("sessions", "worker")] == 2 and
                told[of("queued_peers_bytes", "worker")] > 100000)
        wait_for(seen, TOLD_EVERY + 2)


def histogram(told, name):
    """Its buckets, as they stand, and its count."""
    return ([value for key, value in told.items()
        if key.startswith("pilot_beacon_%s_bucket" % name)],
        told["pilot_beacon_%s_count" % name])


def test_latencies_are_told():
    with Metered(workers=1) as b, login(b, 1) as one, login(b, 2) as two:
        def relayed():
            one.send_to(2, b"x")
            two.expect_from(1, b"x")
            return histogram(b.values(), "relay_seconds")[1] >= 2
        wait_for(relayed, what="samples of the relay")
        told = b.values()
        for name, most in ("relay_seconds", 1.), ("login_seconds", 5.):
            buckets, count = histogram(told, name)
            assert buckets == sorted(buckets) and buckets[-1] == count
            assert 0 < told["pilot_beacon_%s_sum" % name] < most * count
        assert histogram(told, "login_seconds")[1] == 2


def test_pauses_are_told():
    with Metered(workers=2) as b, login(b, 1), login(b, 2):
        assert histogram(b.values(), "move_seconds")[1] == 0
        worker = b.worker_of(1)
        old = b.pid_of("worker", worker)
        b.ctl("drain", str(worker), text=True)
        b.wait_new("worker", old, worker)
        def told():
            return histogram(b.values(), "move_seconds")[1] >= 1
        wait_for(told, TOLD_EVERY + 2)
        assert 0 < b.values()["pilot_beacon_move_seconds_sum"] < 5.


def test_packets_by_beacon():
    peer, conf = gossip_peer()
    with Metered(conf + "\n", udp=True, workers=1) as b, login(b, 1) as w:
        name = '{beacon="%s:%d"}' % (peer.host, peer.port)
        peer.to = ("127.0.0.1", b.udp_port)
        def told(what):
            return b.values()["pilot_beacon_beacon_%s%s" % (what, name)]
        assert told("up") == 0
        peer.send(sync(2, [100]))
        wait_for(lambda: learned(b, 100) and told("up") == 1)
        w.send_to(100, b"there")
        for _ in range(2):
            peer.send(relay(100, 1, b"back"))
            w.expect_from(100, b"back")
        wait_for(lambda: told("packets_in_total") == 2 and
            told("packets_out_total") == 1)
        # A worker's death takes nothing away.
        b.wait_new("worker", b.kill("worker"))
        wait_for(lambda: told("packets_in_total") == 2)
        values = b.values()
        for other in "other", "default":
            assert values['pilot_beacon_beacon_packets_in_total'
                '{beacon="%s"}' % other] == 0
    peer.close()
