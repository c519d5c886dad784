#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
What machines of more cores would carry, from what bench.py measured on one
core; regress/bench/README.md says what is assumed.
"""

import argparse
import json
import os
import statistics
import sys

CORES = (4, 16, 64)
WORKERS_MAX = 64  # PROTO_WORKERS_MAX
SHARED = 2  # cores kept for auth and parent
MESSAGE_RATE = 100000  # of admissions, parent/parent.h
MAP_NODE = 64 + 16  # bytes: entry, and index at its emptiest
HERD = 4  # us that a connection costs each worker that it does not go to
ROUTE_QUEUE = 4 << 20  # bytes that wait for one worker, worker/worker.h
PEERS = 1000000


class Costs:
    """us of CPU: one login by process, one packet by where it goes."""

    def __init__(self, path):
        with open(path) as f:
            rows = {row["name"]: row for row in json.load(f)["rows"]}
        parts = self._of(rows, "login", "parts")
        self.auth = statistics.median(parts["beacond-auth"])
        self.worker = statistics.median(parts["beacond-worker"])
        self.parent = statistics.median(parts["beacond"])
        other = "other worker / same"
        self.same = statistics.median(self._of(rows, other, "bare"))
        self.across = self.same * self._of(rows, other, "median")
        self.idle = statistics.median(self._of(rows, "idle peer, cpu",
                                               "beacond"))
        self.memory = self._of(rows, "idle peer", "median")

    @staticmethod
    def _of(rows, name, what):
        if name not in rows or not rows[name][what]:
            sys.exit(f"the row \"{name}\" was not measured")
        return rows[name][what]

    def login(self, workers):
        """Of all workers together: each wakes up for each connection."""
        return self.worker + HERD * (workers - 1)

    def packet(self, workers):
        """Between two peers at random: one in N shares a worker."""
        share = (workers - 1) / workers
        return self.same * (1 - share) + self.across * share


def million(n):
    return f"{n / 1e6:.2f} M"


def thousand(n):
    return f"{n / 1e3:.1f} k"


def table(costs):
    """Rows of name and one figure for each number of cores."""
    workers = [max(1, min(WORKERS_MAX, c - SHARED)) for c in CORES]
    logins = [n * 1e6 / costs.login(n) for n in workers]
    limits = [1e6 / costs.auth, MESSAGE_RATE, 1e6 / costs.parent]
    first = [min(rate, *limits) for rate in logins]
    return [
        ("cores", CORES),
        ("workers", workers),
        ("packets across workers", [f"{100 * (n - 1) / n:.0f} %"
                                    for n in workers]),
        ("us a packet", [f"{costs.packet(n):.2f}" for n in workers]),
        ("packets/s, 1 KiB", [million(n * 1e6 / costs.packet(n))
                              for n in workers]),
        ("Gbit/s in and out again", [
            f"{n * 1e6 / costs.packet(n) * 1024 * 8 / 1e9:.0f}"
            for n in workers]),
        ("logins/s: workers could", [thousand(rate) for rate in logins]),
        ("logins/s: auth can", [thousand(limits[0])] * len(CORES)),
        ("logins/s: parent admits", [thousand(limits[1])] * len(CORES)),
        ("logins/s: parent could", [thousand(limits[2])] * len(CORES)),
        ("logins/s: the least", [thousand(rate) for rate in first]),
        ("s for 50,000 peers at once", [f"{50000 / rate:.1f}"
                                        for rate in first]),
        ("s for 1,000,000 peers", [f"{PEERS / rate:.0f}" for rate in first]),
        ("1,000,000 idle: cores busy", [f"{PEERS * costs.idle / 1e6:.2f}"]
         * len(CORES)),
        ("1,000,000 idle: memory, MB", [f"{PEERS * costs.memory / 1e6:.0f}"]
         * len(CORES)),
        ("map with them, MB", [
            f"{PEERS * MAP_NODE / 1e6:.0f}"] * len(CORES)),
        ("channels", [n * (n - 1) // 2 + 2 * n + 1 for n in workers]),
        ("queues between workers, GB", [
            f"{n * (n - 1) * ROUTE_QUEUE / 1e9:.2f}" for n in workers]),
    ]


def main():
    parser = argparse.ArgumentParser(description="beacond on more cores")
    parser.add_argument("json", nargs="?",
                        default=os.path.join("build", "bench.json"))
    options = parser.parse_args()
    costs = Costs(options.json)
    print(f"us a login: worker {costs.worker:.1f}, auth {costs.auth:.1f}, "
          f"parent {costs.parent:.1f}\n"
          f"us a packet of 1 KiB: same worker {costs.same:.3f}, another "
          f"{costs.across:.3f}\n"
          f"idle peer: {costs.idle:.3f} us/s, {costs.memory:.0f} bytes\n")
    for name, figures in table(costs):
        print(f"{name:28}" + "".join(f"{str(f):>11}" for f in figures))
    print(f"\nauth is full as soon as {costs.worker / costs.auth:.1f} "
          "workers do nothing but log in")
    return 0


if __name__ == "__main__":
    sys.exit(main())
