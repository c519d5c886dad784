# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Keys that are known before the registry is asked: its snapshot, and the
cache that outlasts a beacon."""

import contextlib
import json
import os
import re
import stat
import tempfile
import time

import pytest

from beacon import Beacon, alone, limit, wait_for
from client import login
from machine import OnMachine
from registry import Registry
from test_registry import OPEN, REFUSED, Asking, close, enter, outcomes, \
    refused, waiting


class WithSnapshot(OnMachine):
    """Has a snapshot, which the registry writes first, and a clock."""

    def install(self, unprivileged):
        self.snapshot_path = os.path.join(self.directory, "snapshot.json")
        self.registry.snapshot(self.snapshot_path)
        return super().install(unprivileged)

    def write_conf(self, conf, *args):
        super().write_conf(conf + '\nkeys snapshot "%s"' %
            self.snapshot_path, *args)

    def write_snapshot(self, text):
        with open(self.snapshot_path + ".new", "w") as f:
            f.write(text)
        os.rename(self.snapshot_path + ".new", self.snapshot_path)

    def look(self):
        """Until it has looked at the snapshot again."""
        self.spend(6)


class Snapshotted(WithSnapshot, Asking):
    pass


class SnapshotAlone(WithSnapshot, Beacon):
    """It asks no registry, and has no key file."""

    def __init__(self, r, conf):
        self.registry = r
        super().__init__(conf, nodes=None)


@contextlib.contextmanager
def snapshotted(conf="", known=(), **how):
    with Registry(**how) as r:
        for node in known:
            r.register(node, public=False)
        with Snapshotted(r, conf) as b:
            b.wait_line("keys read from snapshot")
            yield r, b


def waited(b, nodes):
    clients = waiting(b, nodes)
    got = outcomes(clients)
    assert set(got) == {"in"}, got
    return clients


def test_the_snapshots_nodes_need_no_lookup():
    with snapshotted(known=(1, 2)) as (r, b):
        enter(b, 1)
        refused(b, 3)
        assert [q.node for q in r.lookups()] == [3]
        r.register(3)
        r.register(4)
        r.snapshot(b.snapshot_path)
        mark = len(b.lines)
        b.look()
        b.wait_line("^beacond: 4 keys read from snapshot", after=mark)
        enter(b, 4)
        assert [q.node for q in r.lookups()] == [3]


def test_a_strict_registrys_secret_nodes_stand_in_the_snapshot():
    """ "not found" is not believed of them, a key is believed more."""
    with snapshotted("registry refresh 5", known=(1, 2), strict=True) \
            as (r, b):
        with login(b, 1) as one:
            b.spend(10)
            enter(b, 2)
            wait_for(lambda: r.lookups(1) and r.lookups(2), 5,
                "both to be asked for again")
            one.in_step()
            enter(b, 2)
            assert b.peer(1)


WRONG = {
    "truncated": lambda text: text[:len(text) // 2],
    "its last byte missing": lambda text: text[:-1],
    "empty": lambda text: "",
    "without nodes": lambda text: '{"nodes": null}',
    "two": lambda text: text + text,
}


def test_a_snapshot_that_is_not_whole_changes_nothing():
    with snapshotted(known=(1, 2)) as (r, b):
        with open(b.snapshot_path) as f:
            text = f.read()
        for name, change in WRONG.items():
            mark = len(b.lines)
            b.write_snapshot(change(text))
            b.look()
            b.wait_line("snapshot.*not whole", after=mark)
            enter(b, 1)
        assert not any("keys read" in line for line in b.lines[mark:])
        assert not r.lookups()


def test_some_of_a_snapshot_may_be_null_or_without_a_key():
    with snapshotted(known=(1, 2)) as (r, b):
        r.register(3)
        r.snapshot(b.snapshot_path)
        with open(b.snapshot_path) as f:
            nodes = json.load(f)["nodes"]
        nodes.update({"9": None, "8": {"id": 8, "public_key": ""}})
        b.write_snapshot(json.dumps({"nodes": nodes, "networks": None}))
        b.look()
        b.wait_line("^beacond: 3 keys read")
        enter(b, 3)
        refused(b, 8)
        assert [q.node for q in r.lookups()] == [8]


def test_a_snapshot_that_is_replaced_while_it_is_read():
    """Each is read whole, or not at all."""
    with snapshotted(known=range(1, 5001)) as (r, b):
        for node in range(5001, 5004):
            r.register(node)
            r.snapshot(b.snapshot_path)
            b.set(0, b.monotonic + 6, False)
            r.snapshot(b.snapshot_path)
        wait_for(lambda: b.look() or any("5003 keys read" in line
            for line in b.lines), 10, "the last one")
        for line in b.lines:
            got = re.match(r"beacond: (\d+) keys read", line)
            assert not got or 5000 <= int(got.group(1)) <= 5003, line
        enter(b, 1)
        enter(b, 5003)
        assert not r.lookups()


def test_a_removed_node_goes_with_the_snapshot():
    with snapshotted("registry refresh 5", known=(1, 2)) as (r, b):
        with login(b, 1) as one:
            r.remove(1)
            r.snapshot(b.snapshot_path)
            b.look()
            b.spend(6)
            one.expect_close(REFUSED, bound=8)
        refused(b, 1)
        enter(b, 2)


def test_a_grace_ends_without_a_registry():
    with Registry() as r:
        r.register(1)
        r.register(2)
        with SnapshotAlone(r, "registry refresh 1\nregistry grace 60") as b:
            b.wait_line("^beacond: 2 keys read")
            auth = b.pid_of("auth")
            r.register(1, key_of=101)
            r.register(3)
            r.snapshot(b.snapshot_path)
            b.look()
            b.wait_line("^beacond: 3 keys read")
            # By the key of before, whose time ends when nobody reads keys.
            with login(b, 1) as one, login(b, 2) as two:
                b.spend(60)
                one.expect_close(REFUSED, bound=8)
                two.in_step()
            assert b.pid_of("auth") == auth


@alone
@limit(90)
def test_a_cold_stampede_of_known_nodes_asks_nothing():
    """And is as fast as if their keys were in a file."""
    many, batch = 2000, 250
    with Beacon(OPEN, range(1, many + 1)) as a, \
            snapshotted(known=range(1, many + 1)) as (r, b):
        took = {a: [], b: []}
        for first in range(1, many + 1, batch):
            for each in (a, b) if first < many / 2 else (b,):
                begin = time.monotonic()
                close(waited(each, range(first, first + batch)))
                took[each].append(time.monotonic() - begin)
        assert not r.lookups()
    from_file, from_snapshot = min(took[a]), min(took[b])
    print("%d logins: %.3f s by a file, %.3f s by the snapshot" % (batch,
        from_file, from_snapshot))
    assert from_snapshot < from_file * 1.25


class Cached(OnMachine, Asking):
    """Keeps its cache at a path that outlasts it."""

    def __init__(self, r, path, conf=""):
        super().__init__(r, 'keys cache "%s"\n%s' % (path, conf))


@pytest.fixture
def cache():
    """A path that the beacon may write to."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        yield os.path.join(directory, "cache")


def test_the_cache_survives_a_restart(cache):
    with Registry() as r:
        for node in range(1, 41):
            r.register(node)
        with Cached(r, cache) as b:
            close(waited(b, range(1, 41)))
        got = os.stat(cache)
        assert stat.S_IMODE(got.st_mode) == 0o600
        asked = len(r.lookups())
        assert asked == 40
        with Cached(r, cache) as b:
            close(waited(b, range(1, 41)))
            assert len(r.lookups()) == asked
        # Also while nobody answers.
        with Registry() as dead:
            dead.hang()
            with Cached(dead, cache) as b:
                close(waited(b, range(1, 41)))


def test_the_cache_is_written_each_minute_and_read_by_a_new_auth(cache):
    with Registry() as r:
        r.register(1)
        with Cached(r, cache) as b:
            enter(b, 1)
            b.spend(61)
            wait_for(lambda: os.path.exists(cache), what="the cache")
            old = b.kill("auth")
            b.wait_new("auth", old)
            b.wait_line("registry .*connected")
            enter(b, 1)
            assert len(r.lookups(1)) == 1


def test_a_cache_that_is_not_whole_is_not_believed(cache):
    with Registry() as r:
        r.register(1)
        with Cached(r, cache) as b:
            enter(b, 1)
        with open(cache, "rb") as f:
            data = f.read()
        flipped = bytearray(data)
        flipped[-20] ^= 1
        for bad in (b"", data[:-1], data[:40], bytes(flipped), data + b"x",
                bytes(len(data))):
            with open(cache, "wb") as f:
                f.write(bad)
            asked = len(r.lookups(1))
            with Cached(r, cache) as b:
                enter(b, 1)
                assert len(r.lookups(1)) == asked + 1, bad


def test_a_rotation_while_it_was_down_costs_one_lookup(cache):
    with Registry() as r:
        r.register(1)
        with Cached(r, cache) as b:
            enter(b, 1)
        r.register(1, key_of=101)
        with Cached(r, cache) as b:
            enter(b, 1, signer=101)
            enter(b, 1)         # it was known, and has its grace
            assert len(r.lookups(1)) == 2
