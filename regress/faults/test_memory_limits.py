# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A worker at its limit of memory: the rest does not notice."""

import memory
from beacon import Beacon, alive, limit, wait_for
from client import BINARY, NO_MASK, frame, login, relay
from test_failures import Chat, by_worker, until_login

CONF = "source packet limit 0\nwrite timeout 60"
BIG = bytes(16384)
FEW = 1 << 20       # bytes more than it has
ROUNDS = 1000       # of 20 packets for each: far more than can wait


def crowd(b):
    """Who is on worker 1, and who on worker 0 and does not read."""
    clients = by_worker(b, range(1, 17), rcvbuf=4096)
    assert len(clients[0]) >= 4 and len(clients[1]) >= 3
    return clients[0], clients[1]


def flood(source, lazy, enough, payload=BIG):
    for _ in range(ROUNDS):
        for client in lazy:
            data = frame(BINARY, relay(source.node, client.node, payload),
                mask=NO_MASK)
            source.send(data * 20)
            source.in_step()
        if enough():
            return
    raise AssertionError("not enough")


def dropped(b):
    return sum(value for name, value in b.metrics().items()
        if "drops_total" in name)


@limit(60)
def test_without_memory_only_who_does_not_read_is_lost():
    """It would take some to keep what they do not take."""
    with memory.StarvedWorkers(CONF) as b:
        lazy, keep = crowd(b)
        chat = Chat(keep[0], keep[1])
        chat.start()
        pids = [b.pid_of("worker", n) for n in (0, 1)]
        before = dropped(b)
        b.memory(False)
        flood(keep[2], lazy, lambda: dropped(b) > before + 100, bytes(200))
        told = chat.count
        wait_for(lambda: chat.count > told + 100)
        b.memory(True)
        chat.stop()
        assert [b.pid_of("worker", n) for n in (0, 1)] == pids
        assert {c.node for c in keep} <= {p["node"] for p in b.peers()}
        for client in lazy + keep:
            client.close()
        for node in range(20, 31):
            login(b, node).close()


@limit(60)
def test_a_worker_that_the_kernel_kills_for_memory_costs_its_own_peers():
    with Beacon(CONF) as b:
        lazy, keep = crowd(b)
        chat = Chat(keep[0], keep[1])
        chat.start()
        pid = b.pid_of("worker", 0)
        with memory.group(pid, 4 * FEW) as limited:
            if not limited:     # nobody may make one here
                b.kill("worker", 0)
            wait_for(lambda: not alive(pid) or bool(flood_some(keep[2], lazy)),
                20, "its end")
            b.wait_new("worker", pid, 0)
        chat.stop()
        assert {p["node"] for p in b.peers()} == {c.node for c in keep}
        for node in range(20, 31):
            until_login(b, node, float("inf")).close()
        for client in lazy + keep:
            client.close()


def flood_some(source, lazy):
    flood(source, lazy, lambda: True)
