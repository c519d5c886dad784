#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Measures beacond against the bare relays: regress/bench/README.md says what
each row means.  Everything is on 127.0.0.1 and ends by itself.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from harness import (ALL_CORES, LOAD_CORE, TWO_CORES, Beacond, Crowd, Failure,
                     Load, Server, measure)

# The targets, in one place.  ratio: beacond / bare (or what the row says);
# else the figure itself.  None: for information.
TARGETS = {
    "window 1, 64 B": 1.10,
    "window 32, 64 B": 1.35,
    "window 32, 1 KiB": 1.5,
    "window 32, 16 KiB": 1.25,
    "500 pairs, 1 KiB": 2.0,
    "other worker / same": 1.9,
    "p99 at equal rate": 1.2,
    "router / relay, 1 KiB": 2.0,
    "router / relay, window 1": None,
    "udp - udp, 64 B": 1.15,
    "udp - udp, 1 KiB": 1.15,
    "udp - websocket, 64 B": None,
    "udp - websocket, 1 KiB": None,
    "login": 80,
    "login / bare": 1.4,
    "login and close": None,
    "login, two cores": 100,
    "idle peer": 400,
    "idle peer, cpu": None,
    "50,000 peers / 1,000": 1.15,
    "stampede": 10,
    "stampede, open p99": 50,
}

LOGINS = 10000
SUSTAINED = 40000
LATENCY_RATE = 20000  # packets/s
CROSS_PAIRS = 50
KEYS = 60000
MANY = 50000
FEW = 1000
ACTIVE = 400  # peers from which the pairs are chosen
CI_LIMIT = 2  # times the target
CI_TRIES = 3  # before it is not the machine

options = None  # of the command line
keys = None  # the key file


class Row:
    """One line of the table, and the samples behind it."""

    def __init__(self, name, unit):
        self.name = name
        self.unit = unit
        self.bare = []
        self.ours = []
        self.bare_rate = []  # packets or logins per second
        self.ours_rate = []
        self.parts = {}  # program -> its share of each of ours

    def values(self):
        """What is compared with the target."""
        if self.unit == "ratio":
            return [o / b for o, b in zip(self.ours, self.bare)]
        return self.ours

    def verdict(self):
        target = TARGETS[self.name]
        if target is None or not self.ours:
            return ""
        return "ok" if statistics.median(self.values()) <= target else "MISSED"

    def hopeless(self):
        """Only ratios: microseconds say as much about the machine."""
        target = TARGETS[self.name]
        return self.unit == "ratio" and target is not None and self.ours and \
            statistics.median(self.values()) > CI_LIMIT * target

    def text(self):
        bare = f"{statistics.median(self.bare):.3f}" if self.bare else "-"
        rate = f"{statistics.median(self.ours_rate):.0f}" \
            if self.ours_rate else "-"
        if not self.ours:
            return f"{self.name:24} {bare:>10}"
        target = TARGETS[self.name]
        values = self.values()
        spread = f"{min(values):.3g} - {max(values):.3g}"
        return (f"{self.name:24} {bare:>10} "
                f"{statistics.median(self.ours):>10.3f} "
                f"{rate:>10} {statistics.median(values):>9.3g} {spread:>18} "
                f"{'-' if target is None else target:>7} {self.unit:10} "
                f"{self.verdict()}")

    def record(self):
        return {
            "name": self.name, "unit": self.unit,
            "target": TARGETS[self.name], "bare": self.bare,
            "beacond": self.ours, "bare_per_second": self.bare_rate,
            "beacond_per_second": self.ours_rate, "parts": self.parts,
            "verdict": self.verdict(),
            "median": statistics.median(self.values()) if self.ours else None,
        }


HEAD = (f"{'':24} {'bare':>10} {'beacond':>10} {'per s':>10} {'median':>9} "
        f"{'min - max':>18} {'target':>7} unit")


def bare(program):
    return Server([os.path.join(options.build, "bench", program)])


def beacond(row=None, **settings):
    """row: whose profile it is, if one is wanted."""
    server = Beacond(options.build, keys, **settings)
    if options.perf and row is not None:
        name = re.sub(r"\W+", "-", row.name)
        facts = machine()
        del facts["command"]
        server.record(os.path.join(options.perf, name + ".txt"),
                      f"{row.name}: {what(facts)}")
    return server


def run(mode, server, *args, pairs="", cores=LOAD_CORE):
    with Load(options.build, mode, server, *args, cores=cores) as load:
        return measure(load, server, pairs)


def paired(row, relay, floor_mode, mode, args, figure=lambda r: r["cpu_us"]):
    """Bare relay and beacond by turns, each newly started."""
    for _ in range(options.pairs):
        if not options.perf:
            with bare(relay) as server:
                result = run(floor_mode, server, *args)
            row.bare.append(figure(result))
            row.bare_rate.append(result["per_second"])
        if options.bare:
            continue
        with beacond(row) as server:
            result = run(mode, server, *args)
        row.ours.append(figure(result))
        row.ours_rate.append(result["per_second"])
    return [row]


def shape(pairs, window, size):
    return ["-n", pairs, "-w", window, "-s", size, "-d", options.seconds]


def row_tcp(name, *args):
    return lambda: paired(Row(name, "ratio"), "tcp_relay", "tcp", "ws",
                          shape(*args))


def row_router(name, *args):
    """What a router costs, to what the relay costs."""
    def measured():
        row = Row(name, "ratio")
        for _ in range(options.pairs):
            for routed, samples in ((False, row.bare), (True, row.ours)):
                with beacond(row if routed else None, routed=routed) as server:
                    samples.append(run("ws", server, *shape(*args))["cpu_us"])
        return [row]
    return measured


def row_udp(name, mode, *args):
    return lambda: paired(Row(name, "ratio"), "udp_forward", "udp", mode,
                          shape(*args))


def row_latency():
    args = ["-n", 50, "-s", 64, "-r", LATENCY_RATE, "-d", options.seconds]
    return paired(Row("p99 at equal rate", "ratio"), "tcp_relay", "tcp", "ws",
                  args, lambda r: r["latency_us"]["p99"])


def chosen(server, nodes, same):
    """
    The lines that tell the generator which nodes are to be pairs: on the same
    worker (as many on each), or on two different ones.
    """
    by_worker = {}
    for node, worker in server.workers_of(nodes).items():
        by_worker.setdefault(worker, []).append(node)
    pairs = []
    while len(pairs) < CROSS_PAIRS:
        left = sorted(by_worker.values(), key=len, reverse=True)
        if same:
            picked = left[0]
            if len(picked) < 2:
                raise Failure("not enough peers on one worker")
            pairs.append((picked.pop(), picked.pop()))
        else:
            if len(left) < 2 or not left[1]:
                raise Failure("not enough peers on different workers")
            pairs.append((left[0].pop(), left[1].pop()))
    return "".join(f"{a} {b}\n" for a, b in pairs)


def run_chosen(server, base, same):
    """50 x 32, 1 KiB between peers chosen by their workers."""
    nodes = range(base + 1, base + ACTIVE + 1)
    args = shape(ACTIVE // 2, 32, 1024) + ["-b", base]
    return run("ws", server, *args,
               pairs=lambda: chosen(server, nodes, same))["cpu_us"]


def row_cross():
    row = Row("other worker / same", "ratio")
    for _ in range(options.pairs):
        with beacond(workers=2) as server:
            row.bare.append(run_chosen(server, 0, True))
        with beacond(row, workers=2) as server:
            row.ours.append(run_chosen(server, 0, False))
    return [row]


def row_scale():
    row = Row("50,000 peers / 1,000", "ratio")
    for _ in range(options.pairs):
        for peers, samples in ((FEW, row.bare), (MANY, row.ours)):
            with beacond(row, workers=4, peers=peers) as server, \
                    Crowd(options.build, server, peers - ACTIVE) as crowd:
                crowd.open()
                samples.append(run_chosen(server, peers, True))
                crowd.results()
    return [row]


def logins(server):
    """Microseconds of each program per login, and logins per second."""
    with Crowd(options.build, server, LOGINS, at_once=64) as crowd:
        before = server.cpu_ns_by_program()
        seconds = crowd.open()
        after = server.cpu_ns_by_program()
        crowd.results()
    return {name: (used - before[name]) / 1000 / LOGINS
            for name, used in after.items()}, LOGINS / seconds


def row_login():
    """Peers that stay, beside the floor; peers that close at once."""
    kept, ratio = Row("login", "us"), Row("login / bare", "ratio")
    closed = Row("login and close", "us")
    for _ in range(options.pairs):
        if not options.perf:
            with bare("login_floor") as server:
                parts, rate = logins(server)
            ratio.bare.append(sum(parts.values()))
            ratio.bare_rate.append(rate)
        if options.bare:
            continue
        with beacond(kept) as server:
            parts, rate = logins(server)
        for row in (kept, ratio):
            row.ours.append(sum(parts.values()))
            row.ours_rate.append(rate)
        for name, used in parts.items():
            kept.parts.setdefault(name, []).append(used)
        with beacond(closed) as server:
            result = run("login", server, "-n", LOGINS, "-k", 64)
        closed.ours.append(result["cpu_us"])
        closed.ours_rate.append(result["per_second"])
    return [kept, ratio, closed]


def row_sustained():
    """What two cores do per login when the generator's share is taken off."""
    row = Row("login, two cores", "us")
    for _ in range(options.pairs):
        with beacond(row, workers=2, peers=SUSTAINED, cores=TWO_CORES) \
                as server:
            result = run("login", server, "-n", SUSTAINED, "-k", 256,
                         cores=TWO_CORES)
        spent = 1e6 / result["per_second"] - result["generator_us"] / 2
        row.ours.append(spent)
        row.ours_rate.append(1e6 / spent)
    return [row]


def idle(server, mode, peers, cpu):
    """Memory per peer; if wanted, CPU per peer and second."""
    with Crowd(options.build, server, peers, mode=mode) as crowd:
        before = server.pss_bytes()
        crowd.open()
        memory = (server.pss_bytes() - before) / peers
        if cpu is not None:
            used = server.cpu_ns()
            subprocess.run(["sleep", "35"], check=True)
            cpu.append((server.cpu_ns() - used) / 1000 / peers / 35)
        crowd.results()
    return memory


def row_idle():
    memory, cpu = Row("idle peer", "bytes"), Row("idle peer, cpu", "us/s")
    if os.geteuid() != 0:
        print("idle peer: only root can read the memory of the children")
        return []
    with bare("tcp_relay") as server:
        memory.bare.append(idle(server, "idle-tcp", 10000, None))
    if not options.bare:
        with beacond(memory, workers=4, peers=MANY) as server:
            memory.ours.append(idle(server, "idle", MANY, cpu.ours))
    return [memory, cpu]


def stampede(row):
    """All at once, while 50 pairs that were there before go on."""
    with beacond(row, workers=4, peers=MANY, cores=ALL_CORES) as server, \
            Crowd(options.build, server, MANY, at_once=MANY,
                  cores=ALL_CORES, nice=10) as crowd, \
            Load(options.build, "ws", server, "-n", 50, "-r", 2000, "-d", 120,
                 "-b", MANY, cores=ALL_CORES, nice=-10) as load:
        load.wait("open")
        load.go()
        load.wait("start")
        load.go()
        seconds = crowd.open()
        load.stop()
        load.wait("end")
        p99 = load.result()["worst_p99_us"] / 1000
        crowd.results()
    return seconds, p99


def row_stampede():
    whole = Row("stampede", "s")
    others = Row("stampede, open p99", "ms")
    for _ in range(options.pairs):
        seconds, p99 = stampede(whole)
        whole.ours.append(seconds)
        others.ours.append(p99)
    return [whole, others]


ROWS = [
    ("window 1, 64 B", row_tcp("window 1, 64 B", 50, 1, 64)),
    ("window 32, 64 B", row_tcp("window 32, 64 B", 50, 32, 64)),
    ("window 32, 1 KiB", row_tcp("window 32, 1 KiB", 50, 32, 1024)),
    ("window 32, 16 KiB", row_tcp("window 32, 16 KiB", 50, 32, 16384)),
    ("500 pairs, 1 KiB", row_tcp("500 pairs, 1 KiB", 500, 32, 1024)),
    ("p99", row_latency),
    ("router / relay, 1 KiB",
     row_router("router / relay, 1 KiB", 50, 32, 1024)),
    ("router / relay, window 1",
     row_router("router / relay, window 1", 50, 1, 1024)),
    ("udp - udp, 64 B", row_udp("udp - udp, 64 B", "udp", 50, 32, 64)),
    ("udp - udp, 1 KiB", row_udp("udp - udp, 1 KiB", "udp", 50, 32, 1024)),
    ("udp - websocket, 64 B",
     row_udp("udp - websocket, 64 B", "mixed", 50, 32, 64)),
    ("udp - websocket, 1 KiB",
     row_udp("udp - websocket, 1 KiB", "mixed", 50, 32, 1024)),
    ("other worker", row_cross),
    ("login", row_login),
    ("login, two cores", row_sustained),
    ("idle", row_idle),
    ("50,000 peers", row_scale),
    ("stampede", row_stampede),
]
CI_ROWS = ["window 1, 64 B", "window 32, 1 KiB", "router / relay, 1 KiB",
           "udp - udp, 64 B", "other worker", "login"]
BARE_ROWS = ("window", "500", "p99", "udp - udp", "login", "idle")


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        congestion = f.read().strip()
    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"],
                                stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.DEVNULL).stdout.strip()
    except FileNotFoundError:  # a machine without git, a tree without history
        commit = ""
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(ALL_CORES), "kernel": platform.release(),
        "congestion": congestion, "commit": commit or "unknown",
        "date": datetime.date.today().isoformat(),
        "command": " ".join(sys.argv),
    }


def what(facts):
    return ", ".join(f"{name} {fact}" for name, fact in facts.items())


def parse_options():
    parser = argparse.ArgumentParser(description="beacond's benchmark")
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", help="default: BUILD/bench.json")
    parser.add_argument("--rows", default="", help="only these (a pattern)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--bare", action="store_true",
                        help="the bare relays alone")
    parser.add_argument("--perf", metavar="DIR",
                        help="write a profile of each row there instead")
    parser.add_argument("--ci", action="store_true",
                        help="short; fails at twice a target")
    found = parser.parse_args()
    if found.ci:
        found.pairs, found.seconds = 1, 1
    if found.perf:
        found.pairs = 1
    if found.json is None:
        found.json = os.path.join(found.build, "bench.json")
    return found


def wanted(name):
    if options.ci and name not in CI_ROWS:
        return False
    if options.bare and not name.startswith(BARE_ROWS):
        return False
    return re.search(options.rows, name) is not None


def tried(measured):
    """The rows; in CI again if that went too badly to be beacond's doing."""
    for left in reversed(range(CI_TRIES if options.ci else 1)):
        try:
            found = [row for row in measured() if row.bare or row.ours]
        except Failure:
            if left == 0:
                raise
            continue
        if left == 0 or not any(row.hopeless() for row in found):
            return found


def main():
    global options, keys
    options = parse_options()
    scratch = tempfile.mkdtemp(prefix="bench-keys-")
    os.chmod(scratch, 0o755)
    keys = os.path.join(scratch, "keys")
    rows = []
    failed = []
    try:
        if not options.bare:
            subprocess.run([os.path.join(options.build, "bench", "load"),
                            "keys", "-n", str(KEYS), keys], check=True)
        print(what(machine()))
        print("profiles of" if options.perf else HEAD, flush=True)
        for name, measured in ROWS:
            if not wanted(name):
                continue
            try:
                for row in tried(measured):
                    rows.append(row)
                    print(row.name if options.perf else row.text(),
                          flush=True)
            except Failure as why:
                failed.append(name)
                print(f"{name}: FAILED: {why}", flush=True)
    finally:
        shutil.rmtree(scratch)
    if options.perf:
        return 1 if failed else 0
    with open(options.json, "w") as f:
        json.dump({"machine": machine(), "failed": failed,
                   "rows": [row.record() for row in rows]}, f, indent=1)
        f.write("\n")
    bad = [row.name for row in rows if options.ci and row.hopeless()]
    if bad:
        print(f"worse than {CI_LIMIT} times the target: " + ", ".join(bad))
    return 1 if failed or bad else 0


if __name__ == "__main__":
    sys.exit(main())
