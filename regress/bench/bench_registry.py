#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Keys that are not in a file, at the numbers that are promised: what a login
costs by them, a stampede of nodes that are known, a crowd of nodes that are
not.  regress/bench/README.md says what each row means.
"""

import argparse
import contextlib
import hashlib
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "system"))

from harness import ALL_CORES, Beacond, Crowd, Failure  # noqa: E402
from registry import Registry, read_keys  # noqa: E402

KNOWN = 50000
LOGINS = 10000
STRANGERS = 300
NEW = 10000
RATE, BURST = 80, 100       # the defaults of the budget
AGAIN = 10                  # seconds within which who has to wait dials again
SLOWER = 1.1                # of a login while the registry hangs
STAMPEDE_SLOWER = 1.1       # of one in a stampede, by keys from elsewhere
GRACE = 60                  # seconds, beside what the budget takes

options = None  # of the command line


class Scratch:
    """Keys of all nodes, in each form in which they can be had at a start."""

    def __init__(self, directory):
        self.file = os.path.join(directory, "keys")
        self.snapshot = os.path.join(directory, "snapshot.json")
        self.cache = os.path.join(directory, "cache")
        subprocess.run([os.path.join(options.build, "bench", "load"), "keys",
                        "-n", str(KNOWN + NEW), self.file], check=True)
        self.keys = read_keys(self.file)

    def known(self):
        return {node: self.keys[node] for node in range(1, KNOWN + 1)}

    def write_snapshot(self, registry):
        registry.snapshot(self.snapshot)

    def write_cache(self, age):
        """As auth/cachefile.h has it; age: seconds of each key."""
        body = b"".join(
            struct.pack("=IIII32s32x", node, age, 0, 0, key)
            for node, key in self.known().items())
        head = struct.pack("=8sIIQ8x", b"beacond", 1, KNOWN, int(time.time()))
        total = hashlib.blake2b(body + head + bytes(32), digest_size=32)
        with open(self.cache, "wb") as f:
            f.write(head + total.digest() + body)
        # beacond is another user, and writes it anew.
        os.chmod(self.cache, 0o644)


@contextlib.contextmanager
def beacond(scratch, source, age=0, hang=False, nodes=None, more=(), **how):
    """
    With a registry (which is told, too) that knows nodes, and keys of all of
    KNOWN from the source: "file", "snapshot", "cache"; None: from nowhere.
    """
    with Registry() as registry:
        registry.nodes = scratch.known() if nodes is None else nodes
        registry.public = set(registry.nodes)
        conf = [registry.directive, *more]
        if source == "snapshot":
            scratch.write_snapshot(registry)
            os.chmod(scratch.snapshot, 0o644)
            conf.append(f'keys snapshot "{scratch.snapshot}"')
        elif source == "cache":
            scratch.write_cache(age)
            conf.append(f'keys cache "{scratch.cache}"')
        with Beacond(options.build, scratch.file if source == "file" else None,
                     more=conf, **how) as server:
            # It is asked as soon as it has answered once.
            end = time.monotonic() + 10
            while not registry.requests and time.monotonic() < end:
                time.sleep(0.01)
            if hang:
                registry.hang()
            yield registry, server


def logins(server):
    """Microseconds of all processes per login; p50 of how long one took."""
    with Crowd(options.build, server, LOGINS, at_once=8) as crowd:
        before = server.cpu_ns()
        crowd.open()
        used = server.cpu_ns() - before
        result, = crowd.results()
    return used / 1000 / LOGINS, result["login_us"]["p50"]


def login_beside_strangers(scratch):
    """It hangs, every key is to be asked for again, others wait for it."""
    with beacond(scratch, "cache", age=3600, hang=True) as (_, server), \
            Crowd(options.build, server, STRANGERS, base=KNOWN + NEW,
                  at_once=STRANGERS, again=AGAIN) as strangers:
        for load in strangers.loads:
            load.go()
        time.sleep(1)
        found = logins(server)
        waiting = server.ctl("show", "registry")["waiting"]
    if waiting == 0:
        raise Failure("nobody waited")
    return found


def measure_login(scratch, source):
    with beacond(scratch, source) as (registry, server):
        found = logins(server)
        asked = len(registry.lookups())
    if asked:
        raise Failure(f"{asked} lookups of nodes that are known")
    return found


def rows_login(scratch):
    """By turns, each newly started; ratios within each turn."""
    ways = [("key file", lambda: measure_login(scratch, "file")),
            ("registry answers", lambda: measure_login(scratch, "cache")),
            ("registry hangs", lambda: login_beside_strangers(scratch))]
    turns = [[way() for _, way in ways] for _ in range(options.pairs)]
    print(f"{'a login of a known node':34} {'us CPU':>8} {'p50 us':>8} "
          f"{'ratio':>6}  min - max")
    bad = False
    for i, (name, _) in enumerate(ways):
        ratios = [turn[i][0] / turn[0][0] for turn in turns]
        ratio = statistics.median(ratios)
        cpu, p50 = (statistics.median(turn[i][j] for turn in turns)
                    for j in (0, 1))
        print(f"  {name:32} {cpu:8.1f} {p50:8.0f} {ratio:6.2f}  "
              f"{min(ratios):.2f} - {max(ratios):.2f}", flush=True)
        bad |= ratio > SLOWER
    return bad


def stampede(scratch, source):
    """
    Microseconds of all processes per attempt; seconds; lookups; attempts that
    took too long, on a slow machine.
    """
    with beacond(scratch, source, more=("auth timeout 30",), workers=4,
                 peers=KNOWN, cores=ALL_CORES) as (registry, server), \
            Crowd(options.build, server, KNOWN, at_once=KNOWN,
                  cores=ALL_CORES, again=AGAIN) as crowd:
        before = server.cpu_ns()
        seconds = crowd.open()
        used = server.cpu_ns() - before
        late = sum(result["later"] for result in crowd.results())
        return (used / 1000 / (KNOWN + late), seconds,
                len(registry.lookups()), late)


def rows_stampede(scratch):
    sources = "file", "snapshot", "cache"
    turns = [[stampede(scratch, source) for source in sources]
             for _ in range(options.pairs)]
    print(f"{'50,000 known nodes at once':34} {'us CPU':>8} {'s':>8} "
          f"{'ratio':>6}  lookups, late")
    bad = False
    for i, source in enumerate(sources):
        ratio = statistics.median(turn[i][0] / turn[0][0] for turn in turns)
        cpu, seconds = (statistics.median(turn[i][j] for turn in turns)
                        for j in (0, 1))
        asked, late = (max(turn[i][j] for turn in turns) for j in (2, 3))
        print(f"  {source:32} {cpu:8.1f} {seconds:8.2f} {ratio:6.2f}  {asked}, "
              f"{late}", flush=True)
        bad |= asked > 0 or ratio > STAMPEDE_SLOWER
    return bad


def rows_new(scratch):
    """They register and dial, all in the same moment."""
    nodes = {node: scratch.keys[node] for node in
             range(KNOWN + 1, KNOWN + NEW + 1)}
    with beacond(scratch, None, nodes={}, workers=2, peers=NEW,
                 cores=ALL_CORES) as (registry, server), \
            Crowd(options.build, server, NEW, base=KNOWN, at_once=NEW,
                  cores=ALL_CORES, again=AGAIN) as crowd:
        registry.nodes = nodes
        seconds = crowd.open()
        result, = crowd.results()
        asked, busiest = len(registry.lookups()), registry.busiest()
    wait = (NEW - BURST) / RATE
    print(f"{NEW} nodes that register and dial at once: all in after "
          f"{seconds:.0f} s, {wait:.0f} s of them the budget's; "
          f"{asked} lookups, {busiest} in the busiest second, "
          f"{result['later']} times 1013", flush=True)
    return seconds > wait + GRACE or busiest > RATE + BURST + 1


def main():
    global options
    parser = argparse.ArgumentParser(description="beacond and its registry")
    parser.add_argument("--build", default="build")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    bad = []
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as directory:
        # The cache is written there by beacond's own user.
        os.chmod(directory, 0o777)
        scratch = Scratch(directory)
        for rows in rows_login, rows_stampede, rows_new:
            if rows(scratch):
                bad.append(rows.__name__)
    if bad:
        print("missed: " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
