# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The same packets, through clients that know nothing of beacond."""

from beacon import Beacon, limit
from client import deliver, login
from peers import NodePeer, PythonPeer

SIZES = [1] + list(range(111, 127)) + [1000, 16384, 32763]
HOW = ["whole", "fragments", "bytewise"]


def body(size, salt):
    return bytes((i * 13 + salt + (i >> 8)) & 255 for i in range(size))


def across(b, one, two, sizes, how):
    for size in sizes:
        for source, dest in ((one, two), (two, one)):
            payload = body(size, source.node)
            source.send_to(dest.node, payload, how)
            got = dest.recv_packet()
            assert got == deliver(source.node, payload), (size, how,
                got[:40])


def check(kind_one, kind_two):
    """All sizes, sent in all ways, on different workers and on one."""
    with Beacon() as b:
        kinds = [kind_one, kind_two]

        def connect(beacon, node):
            return kinds[node % 2](beacon, node)
        for different in (True, False):
            one, two, rest = pair(b, connect, different)
            for how in HOW:
                across(b, one, two, SIZES, how)
            one.send_to(two.node, body(32764, 0))
            one.send_to(two.node, b"next")
            assert two.recv_packet() == deliver(one.node, b"next")
            for peer in [one, two] + rest:
                peer.close()
            b.wait_peers(0)
        b.wait_metric(2, "drops", reason="too_large")


def pair(b, connect, different):
    """One of each kind, on different workers or on the same."""
    first = connect(b, 1)
    where = b.worker_of(1)
    rest = []
    for node in range(2, 32, 2):
        second = connect(b, node)
        if (b.worker_of(node) != where) == different:
            return first, second, rest
        rest.append(second)
    raise AssertionError("no pair")


@limit(120)
def test_python_websockets_and_node_ws():
    check(PythonPeer, NodePeer)


@limit(120)
def test_two_python_websockets():
    check(PythonPeer, PythonPeer)


@limit(120)
def test_two_node_ws():
    check(NodePeer, NodePeer)


def test_subprotocol_is_agreed():
    with Beacon() as b:
        with PythonPeer(b, 1) as one, NodePeer(b, 2) as two:
            assert one.protocol == two.protocol == "pilot.v1"


def test_older_signature_form():
    with Beacon() as b:
        with PythonPeer(b, 1, legacy=True) as one, \
                NodePeer(b, 2, legacy=True) as two:
            across(b, one, two, [10], "whole")
            assert b.metric("auth_legacy") == 2


def test_pings_both_ways():
    with Beacon("ping interval 1\nidle timeout 3") as b:
        with PythonPeer(b, 1) as one, NodePeer(b, 2) as two:
            one.ping("x")
            two.ping("y")
            for _ in range(5):
                two.event("ping", 4)
            # Both libraries answer by themselves, so both are still here.
            across(b, one, two, [10], "whole")


def test_closing_is_clean():
    with Beacon() as b:
        for kind in (PythonPeer, NodePeer):
            with kind(b, 1) as peer:
                assert peer.goodbye() == 1000
            b.wait_peers(0)


def test_replaced_is_told():
    with Beacon() as b:
        for kind in (PythonPeer, NodePeer):
            with kind(b, 1) as old, login(b, 1):
                got = old.event("close")
                assert (got["code"], got["reason"]) == (1000, "replaced")
            b.wait_peers(0)


def test_shutdown_is_told():
    b = Beacon()
    try:
        b.start()
        with PythonPeer(b, 1) as one, NodePeer(b, 2) as two:
            b.stop()
            for peer in (one, two):
                got = peer.event("close")
                assert (got["code"], got["reason"]) == (1001,
                    "beacon shutting down"), got
    finally:
        b.clean_up()
