# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Logins by the keys of a registry (doc/protocol.md 6)."""

import contextlib
import os
import statistics
import tempfile
import time

import pytest

from beacon import Beacon, alone, wait_for
from client import TEXT, Client, Ended, login
from machine import MachineBeacon
from registry import Registry

LATER = 1013, "try again later"
REFUSED = 1008
PATIENCE = 3.0          # seconds that a login waits for the registry
ABSENT = 2.0            # that "not found" is remembered
OPEN = "source upgrade limit 0"


class Asking(Beacon):
    """Has a registry and no key file."""

    def __init__(self, r, conf="", nodes=None, **how):
        self.registry = r
        super().__init__("\n".join([r.directive, OPEN, conf]), nodes, **how)

    def start(self, *args):
        before = len(self.registry.requests)
        super().start(*args)
        wait_for(lambda: len(self.registry.requests) > before, 5,
            "the first request")


class AskingMachine(MachineBeacon, Asking):
    """Its clocks can be set."""


@contextlib.contextmanager
def asking(conf="", nodes=None, machine=False, workers=2, **how):
    """A registry and a beacon that asks it."""
    with Registry(**how) as r:
        with (AskingMachine if machine else Asking)(r, conf, nodes,
                workers=workers) as b:
            yield r, b


def enter(b, node, **how):
    """Logs in, signing as another if the test says so."""
    with Client(b.port) as client:
        client.login(node, **how)


def refused(b, node, code=REFUSED, reason=None, bound=10.0, **how):
    """Returns how many seconds that took."""
    with Client(b.port) as client:
        client.send_reply(node, **how)
        begin = time.monotonic()
        client.expect_close(code, reason, bound)
        return time.monotonic() - begin


def waiting(b, nodes, **how):
    """Clients that have sent their replies, and wait."""
    clients = [Client(b.port) for _ in nodes]
    for client in clients:
        client.upgrade()
    texts = [client.reply(node, client.challenge(), **how)
        for node, client in zip(nodes, clients)]
    for client, text in zip(clients, texts):
        client.send_text(text)
    return clients


def outcomes(clients, bound=10.0):
    """What became of each: "in", or the code of its close."""
    got = []
    for client in clients:
        opcode, data = client.next(bound)
        got.append("in" if opcode == TEXT else
            int.from_bytes(data[:2], "big"))
    return got


def close(clients):
    for client in clients:
        client.close()


def test_a_node_dials_milliseconds_after_it_registered():
    with asking() as (r, b):
        for node in range(1, 21):
            r.register(node)
            time.sleep(0.005)
            enter(b, node)
            assert len(r.lookups(node)) == 1
        # It is known from then on.
        for node in range(1, 21):
            enter(b, node)
        assert len(r.lookups()) == 20


def test_a_thousand_that_wait_for_one_node_are_one_request():
    with asking() as (r, b):
        r.register(1)
        r.hang()
        clients = waiting(b, [1] * 1000)
        clients[-1].in_step()
        r.go_on()
        # A node has one session, and replaces that a few times: all the
        # others had the right key as well.
        got = outcomes(clients)
        assert got.count("in") > 1 and set(got) == {"in", LATER[0]}, got
        b.wait_metric(1000, "auth_verified", outcome="ok")
        assert len(r.lookups()) == 1
        close(clients)


def test_not_found_is_forgotten_after_two_seconds():
    with asking() as (r, b):
        assert refused(b, 5) < 1
        begin = time.monotonic()
        refused(b, 5)
        assert len(r.lookups(5)) == 1
        r.register(5)
        time.sleep(begin + ABSENT - time.monotonic())
        enter(b, 5)
        assert len(r.lookups(5)) == 2


@pytest.mark.parametrize("error", ["request failed", "rate limited"])
def test_an_error_is_not_remembered(error):
    with asking() as (r, b):
        r.register(5)
        r.play(error, 1)
        assert refused(b, 5, *LATER) < PATIENCE
        enter(b, 5)
        # Nor does it take away what is known.
        r.register(5, key_of=105)
        r.play(error, 1)
        refused(b, 5, *LATER, signer=105)
        enter(b, 5)


def test_a_timeout_is_not_remembered():
    with asking() as (r, b):
        r.register(5)
        r.hang()
        assert PATIENCE - 0.2 < refused(b, 5, *LATER) < PATIENCE + 1
        r.drop()
        r.go_on()
        wait_for(lambda: r.requests[-1].connection == 1 and r.requests[-1],
            8, "another connection")
        enter(b, 5)


def test_a_rotation_costs_one_lookup_and_no_login():
    grace = 3
    with asking("registry grace %d" % grace) as (r, b):
        r.register(1)
        enter(b, 1)
        r.register(1, key_of=101)
        # The daemon signs with the old one until it restarts.
        enter(b, 1)
        assert len(r.lookups(1)) == 1
        begin = time.monotonic()
        enter(b, 1, signer=101)
        assert len(r.lookups(1)) == 2
        enter(b, 1)
        enter(b, 1, signer=101)
        time.sleep(begin + grace + 1 - time.monotonic())
        refused(b, 1)
        enter(b, 1, signer=101)
        assert len(r.lookups(1)) == 2


def test_wrong_signatures_are_one_lookup_in_30_seconds():
    with asking(machine=True) as (r, b):
        r.register(1)
        enter(b, 1)
        for _ in range(30):
            refused(b, 1, signer=2)
        assert len(r.lookups(1)) == 2
        enter(b, 1)
        b.spend(31)
        for _ in range(3):
            refused(b, 1, signer=2)
        assert len(r.lookups(1)) == 3


def test_a_key_in_use_is_asked_for_again_while_it_serves():
    with asking("registry refresh 60", machine=True) as (r, b):
        r.register(1)
        enter(b, 1)
        b.spend(57)
        enter(b, 1)
        assert len(r.lookups(1)) == 1
        r.hang()
        b.spend(5)
        enter(b, 1)
        wait_for(lambda: len(r.lookups(1)) == 2)
        r.go_on()
        enter(b, 1)
        assert len(r.lookups(1)) == 2


def test_a_key_serves_for_its_time_without_the_registry():
    with asking("registry stale 100", machine=True) as (r, b):
        r.register(1)
        enter(b, 1)
        r.down()
        b.spend(95)
        enter(b, 1)
        b.spend(10)
        refused(b, 1, *LATER)


@alone
def test_known_nodes_do_not_notice_that_the_registry_hangs():
    known = range(1, 41)

    def each():
        """Seconds that a login takes, the median."""
        times = []
        for node in known:
            with Client(b.port) as client:
                client.upgrade()
                text = client.reply(node, client.challenge())
                begin = time.monotonic()
                client.send_text(text)
                client.expect(TEXT)
                times.append(time.monotonic() - begin)
        return statistics.median(times)

    with asking("registry refresh 1") as (r, b):
        for node in known:
            r.register(node)
        each()
        auth = b.pid_of("auth")
        before = min(each() for _ in range(3))
        r.hang()
        # All are to be asked for again, and many others are waited for.
        time.sleep(2.1)
        strangers = waiting(b, range(1000, 1100))
        during = min(each() for _ in range(3))
        print("a login takes %.0f us, and %.0f us then" % (before * 1e6,
            during * 1e6))
        assert during < before * 1.5 + 0.0002, (before, during)
        for client in strangers:
            client.expect_close(*LATER)
        # Auth answers the parent all the while, or it would be another.
        each()
        assert b.pid_of("auth") == auth


def test_a_connection_that_ends_in_mid_pipeline_loses_nobody():
    """Who waits is asked for once more, and answered once."""
    with asking() as (r, b):
        for node in range(1, 41):
            r.register(node)
        for first, trick in (1, "mid-frame"), (21, "close"):
            before = len(r.lookups())
            r.hang()
            clients = waiting(b, range(first, first + 20))
            wait_for(lambda: len(r.lookups()) == before + 20)
            # Those have their answers, but for that they are held.
            r.play(trick, 1)
            clients += waiting(b, [first + 1000])
            wait_for(lambda: len(r.lookups(first + 1000)) == 1)
            r.go_on()
            got = outcomes(clients)
            assert got == ["in"] * 20 + [REFUSED], got
            assert len(r.lookups(first + 1000)) == 2
            assert len(r.lookups()) == before + 22
            for client in clients[:20]:
                client.in_step()
            close(clients)


def test_a_connection_that_is_dropped_with_all_requests_out():
    with asking() as (r, b):
        for node in range(1, 31):
            r.register(node)
        r.hang()
        clients = waiting(b, range(1, 31))
        wait_for(lambda: len(r.lookups()) == 30)
        r.drop()
        r.go_on()
        got = outcomes(clients)
        assert got == ["in"] * 30, got
        assert all(len(r.lookups(node)) == 2 for node in range(1, 31))
        for client in clients:
            client.in_step()
        close(clients)


def test_the_budget_is_never_exceeded_and_strangers_push_nobody_out():
    with asking("registry rate 20\nregistry burst 10") as (r, b):
        for node in range(1, 6):
            r.register(node)
            enter(b, node)
        clients = waiting(b, range(1000, 1400))
        got = outcomes(clients)
        close(clients)
        assert set(got) == {REFUSED, LATER[0]}, got
        # Three seconds' worth of answers, and the burst.
        assert 40 <= got.count(REFUSED) <= 75, got.count(REFUSED)
        assert r.busiest() <= 20 + 10 + 1, r.busiest()
        asked = len(r.lookups())
        for node in range(1, 6):
            enter(b, node)
        assert len(r.lookups()) == asked


def test_a_registry_that_counts_serves_a_storm():
    """Under its limits, with what it allows: nobody is made to wait by it."""
    with asking() as (r, b):
        # The last waits for 2 of the 3 seconds that it would.
        nodes = range(1, 241)
        for node in nodes:
            r.register(node)
        clients = waiting(b, nodes)
        got = outcomes(clients)
        close(clients)
        assert set(got) == {"in"}, [i for i in got if i != "in"]
        assert r.busiest() <= 180 + 1, r.busiest()
        assert len(r.connections) == 1


def test_a_removed_nodes_session_ends_and_an_outage_ends_none():
    with asking("registry refresh 1") as (r, b):
        for node in (1, 2):
            r.register(node)
        one, two = login(b, 1), login(b, 2)
        r.remove(1)
        one.expect_close(REFUSED, bound=4)
        # The other is to be asked for again; now nobody answers.
        r.hang()
        time.sleep(2)
        r.down()
        time.sleep(2)
        two.in_step()
        assert b.peer(2)
        two.close()


def test_a_session_on_a_replaced_key_ends_after_the_grace():
    with asking("registry refresh 1\nregistry grace 3") as (r, b):
        r.register(1)
        with login(b, 1) as one:
            r.register(1, key_of=101)
            begin = time.monotonic()
            one.expect_close(REFUSED, bound=8)
            assert time.monotonic() - begin > 3


def test_auth_is_killed_while_logins_wait():
    with asking("auth timeout 4") as (r, b):
        r.register(1)
        enter(b, 1)
        r.hang()
        clients = waiting(b, range(2, 22))
        wait_for(lambda: len(r.lookups()) == 21)
        begin = time.monotonic()
        old = b.kill("auth")
        for client in clients:
            opcode, data = client.next(5)
            assert opcode != TEXT
        assert time.monotonic() - begin < 5
        close(clients)
        b.wait_new("auth", old)
        r.go_on()
        wait_for(lambda: r.requests[-1].connection == 1)
        enter(b, 1)


def test_a_registry_that_only_knows_json():
    with asking(old=True) as (r, b):
        r.register(1)
        enter(b, 1)
        refused(b, 2)
        # One was reset; what was learned by that holds on.
        assert len(r.connections) == 2
        r.drop()
        wait_for(lambda: len(r.connections) == 3, 8)
        r.register(3)
        enter(b, 3)
        assert len(r.connections) == 3


def test_a_local_program_behind_a_unix_socket():
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        with asking(path=at + "/registry") as (r, b):
            r.register(1)
            enter(b, 1)
            refused(b, 2)


def test_the_key_file_comes_before_the_registry():
    with asking(nodes=[1]) as (r, b):
        r.register(1, key_of=101)
        r.register(2)
        enter(b, 1)
        refused(b, 1, signer=101)
        enter(b, 2)
        assert not r.lookups(1)


def test_three_beacons_do_not_come_back_at_once():
    with Registry() as r, Asking(r, workers=1), Asking(r, workers=1), \
            Asking(r, workers=1):
        r.down()
        time.sleep(2)
        before = len(r.connections)
        r.up()
        wait_for(lambda: len(r.connections) == before + 3, 15)
        times = sorted(r.connections[before:])
        assert times[2] - times[0] > 0.05, times


BROKEN = ["4 GB", "64 MiB", "cut", "empty", "garbage", "inner length",
    "twice", "unknown type", "wrong id"]


def test_what_is_no_answer_ends_the_connection_and_changes_nothing():
    with contextlib.ExitStack() as stack:
        each = []
        for trick in BROKEN:
            r = stack.enter_context(Registry())
            for node in (1, 2):
                r.register(node)
            each.append((trick, r, stack.enter_context(Asking(r,
                workers=1))))
        for trick, r, b in each:
            enter(b, 1)
            r.play(trick, 1)
            r.clients = waiting(b, [2])
        for trick, r, b in each:
            got = outcomes(r.clients)
            assert got == ["in"], (trick, got)
            close(r.clients)
            wait_for(lambda: len(r.connections) == 2, 5, trick)
            assert len(r.lookups(2)) == (1 if trick == "twice" else 2), trick
            enter(b, 1)
            assert len(r.lookups(1)) == 1, trick
            # "wrong id" was about this one, with the key of 2.
            refused(b, 3, signer=2)
            assert len(r.lookups(3)) == 1, trick


def test_a_key_of_another_length_is_none():
    with asking() as (r, b):
        for node, trick in (1, "short key"), (2, "long key"):
            r.register(node)
            r.play(trick, 1)
            refused(b, node)
            time.sleep(ABSENT)
            enter(b, node)
            # What is known stays.
            r.play(trick, 1)
            refused(b, node, signer=9)
            enter(b, node)


def test_a_registry_that_has_a_name():
    with Registry() as r:
        at = "registry localhost port %d" % r.port
        with Beacon(at, None) as b:
            wait_for(lambda: r.requests, what="the first request")
            r.register(1)
            enter(b, 1)
            # It is looked up again for each connection.
            r.drop()
            wait_for(lambda: r.requests[-1].connection == 1, 8)
            assert not any("not of this machine" in line for line in b.lines)


def test_a_plain_registry_of_another_machine_is_named_in_a_warning():
    with Beacon("registry 192.0.2.1 port 9000", None) as b:
        b.wait_line("registry 192.0.2.1 port 9000 is not of this machine")


def test_a_slow_registry_is_asked_for_many_at_once():
    with asking(delay=0.5) as (r, b):
        for node in range(1, 41):
            r.register(node)
        begin = time.monotonic()
        clients = waiting(b, range(1, 41))
        assert set(outcomes(clients)) == {"in"}
        assert 0.5 <= time.monotonic() - begin < 2
        close(clients)
        assert len(r.connections) == 1


def test_a_reload_brings_another_registry():
    with asking() as (r, b), Registry(host="127.0.0.2", port=r.port) as other:
        r.register(1)
        enter(b, 1)
        other.register(2)
        b.write_conf("\n".join([other.directive, OPEN]))
        b.ctl("reload")
        wait_for(lambda: other.requests, what="the first request")
        enter(b, 2)
        # What the one before said counts no more.
        refused(b, 1)
        assert [q.node for q in other.lookups()] == [2, 1]
        assert [q.node for q in r.lookups()] == [1]


def test_what_is_shown_of_the_registry():
    with asking() as (r, b):
        def shown(**what):
            got = b.ctl("show", "registry")
            return all(got[name] == value for name, value in what.items())
        r.register(1)
        enter(b, 1)
        enter(b, 1)
        refused(b, 2)
        r.hang()
        clients = waiting(b, [3, 3, 3])
        wait_for(lambda: shown(link="up", json=False, failures=0, waiting=3,
            outstanding=1), 3, "three that wait")
        r.go_on()
        close(clients)
        wait_for(lambda: shown(waiting=0, outstanding=0))
        got = b.ctl("show", "registry")
        assert got["registry"].endswith("port %d" % r.port), got
        assert got["lookups"] == {"found": 1, "not_found": 2, "error": 0,
            "lost": 0, "coalesced": 2}, got
        assert got["cache"]["keys"] == 1 and got["cache"]["hits"] == 1, got
        assert 0 < got["latency"]["mean"] <= got["latency"]["max"], got
        r.down()
        wait_for(lambda: shown(link="down"), 3, "the end of it")
        assert "link       down" in b.ctl("show", "registry", text=True)
