#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Sessions that move while packets flow: how long a peer waits for it, how long
all of them take, and that none is lost.  regress/bench/README.md says what each
row means.
"""

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness import ALL_CORES, Beacond, Crowd, Failure, Load

WORKERS = 4         # as many as the limit of open files takes
UPGRADE = 2.0       # seconds, all sessions
PAUSE = 20.0        # ms, of a session that moves

options = None  # of the command line


def keys(directory, count):
    path = os.path.join(directory, "keys")
    subprocess.run([os.path.join(options.build, "bench", "load"), "keys",
                    "-n", str(count), path], check=True)
    return path


def pause(server):
    """
    For how long sessions stood still to move, the p99, ms: in its bucket of
    the histogram, by interpolation.
    """
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.metrics_ports[0], timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    below, before = 0.0, 0
    buckets = [(float(bound), int(count)) for bound, count in re.findall(
        r'^pilot_beacon_move_seconds_bucket\{le="(.+)"\} (\d+)', text, re.M)]
    rank = buckets[-1][1] * 0.99
    for bound, count in buckets:
        if count >= rank:
            break
        below, before = bound, count
    return 1000 * (below + (bound - below) *
                   (rank - before) / max(count - before, 1))


def children(server):
    return [c for c in server.ctl("show", "summary")["children"]
            if c["role"] != "parent"]


def settled(server, count, bound=20):
    """All there are to be do their work, auth and metrics too; no others."""
    end = time.monotonic() + bound
    while True:
        now = children(server)
        if len(now) == count + 2 and all(c["state"] == "running"
                                         for c in now):
            return
        if time.monotonic() > end:
            raise Failure(f"not settled: {now}\n" + server.said())
        time.sleep(0.02)


def timed(server, *words):
    begin = time.monotonic()
    subprocess.run([os.path.join(options.build, "beaconctl"), "-s",
                    os.path.join(server.dir, "ctl.sock"), *words],
                   stdout=subprocess.DEVNULL, check=True, timeout=60)
    return time.monotonic() - begin


def resize(server, count):
    path = os.path.join(server.dir, "beacond.conf")
    with open(path) as f:
        lines = f.read().splitlines()
    lines = [f"workers {count}" if line.startswith("workers ") else line
             for line in lines]
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    timed(server, "reload")


def parents(server):
    """New ones, one after the other."""
    for _ in range(options.parents):
        print(f"new parent: {server.take_over():.2f} s")
        settled(server, WORKERS)


def changes(server):
    """All that is asked of it, one after the other; the upgrades' seconds."""
    upgrades = []
    for _ in range(options.upgrades):
        upgrades.append(timed(server, "upgrade"))
        settled(server, WORKERS)
    counts = [5, 3, 6, 4, 3, WORKERS]
    for i in range(options.resizes):
        count = counts[i % len(counts)]
        if i == options.resizes - 1:
            count = WORKERS
        resize(server, count)
        settled(server, count)
    return upgrades


def flow(server, change, seconds):
    """Pairs at the rate; what they found, change having been done meanwhile."""
    done = []
    with Load(options.build, "ws", server, "-n", options.pairs, "-b",
              options.peers, "-r", options.rate, "-s", 100, "-d",
              seconds, cores=ALL_CORES) as load:
        load.wait("open")
        load.go()
        load.wait("start")
        load.go()
        thread = threading.Thread(target=lambda: done.append(change()))
        thread.start()
        load.wait("end")
        if thread.is_alive():
            raise Failure("it takes longer than packets flow")
        thread.join()
        load.go()
        return load.result(), done


def report(server, quiet, taken, busy, upgrades):
    """Prints the figures; returns those that are above their limit."""
    moved = [m["value"] for m in server.ctl("show", "metrics")
             if m["name"].endswith("wss_moved_total")][0]
    late = [m["value"] for m in server.ctl("show", "metrics")
            if m["name"].endswith("wss_moved_late_total")][0]
    peers = server.ctl("show", "summary")["peers"]
    p99 = pause(server)
    rows = [
        ("peers that stay", peers, options.peers, peers < options.peers),
        ("packets lost", busy["lost"] + taken["lost"], 0,
         busy["lost"] + taken["lost"] > 0),
        ("upgrade, seconds, median", statistics.median(upgrades or [0]), UPGRADE,
         statistics.median(upgrades or [0]) > UPGRADE),
        ("p99 of a pause, ms", p99, PAUSE, p99 > PAUSE),
        ("batches not waited for", late, 0, late > 0),
    ]
    print(f"{moved} sessions moved; packets: {busy['delivered']}; upgrades, "
          "seconds: " + " ".join(f"{s:.2f}" for s in upgrades))
    for name, of in (("quiet", quiet), ("new parents", taken),
                     ("moved", busy)):
        print(f"{name}: latency, ms: " + ", ".join(
            f"{k} {of['latency_us'][k] / 1000:.2f}"
            for k in ("p50", "p99", "p999", "max")))
    for name, value, limit, missed in rows:
        print(f"{name:26} {value:10.2f} {limit:10.2f}"
              + (" MISSED" if missed else ""))
    return [name for name, _, _, missed in rows if missed]


def run(directory):
    path = keys(directory, options.peers + 2 * options.pairs)
    with Beacond(options.build, path, WORKERS, options.peers,
                 cores=ALL_CORES,
                 more=["metrics on 127.0.0.1 port 0"]) as server, \
            Crowd(options.build, server, options.peers, hold=300,
                  cores=ALL_CORES) as crowd:
        crowd.open()
        settled(server, WORKERS)
        quiet, _ = flow(server, lambda: None, 5)
        taken, _ = flow(server, lambda: parents(server), 30)
        busy, done = flow(server, lambda: changes(server), options.seconds)
        if not done:
            raise Failure("the changes were not done\n" + server.said())
        return report(server, quiet, taken, busy, done[0])


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--peers", type=int, default=50000)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--upgrades", type=int, default=10)
    parser.add_argument("--resizes", type=int, default=50)
    parser.add_argument("--parents", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        missed = run(directory)
    if missed:
        raise Failure("missed: " + ", ".join(missed))


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        sys.exit(str(e))
