#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
What an operator does to a beacon that is busy costs no packet and no session;
what a scrape costs among 50,000 peers.  regress/bench/README.md says more.
"""

import argparse
import http.client
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness import (ALL_CORES, Beacond, Crowd, Failure, Load, cpu_ns,
                     program)

PAIRS = 250
RATE = 5000             # packets/s of all of them
SIZE = 200
RELOADS = 100
SCRAPES = 1000
BOUND = 10              # seconds, for whatever is waited for
METRICS = "metrics on 127.0.0.1 port 0"
FURTHER = "listen on 127.0.0.2 port 0"

CROWD = 50000
ROUND = 3               # seconds
OPEN_PAIRS = 50
OPEN_RATE = 2000
EVERY = 0.1             # seconds, from one scrape to the next
MOST_MS = 10.           # that the parent takes for anything, CPU and wall
MOST_SLOWER = 1.25      # p99 with scrapes, compared with that without

options = None  # of the command line


def undisturbed(*pids):
    """
    Ahead of whatever else the machine does, if we may say so, and behind one
    another: who has begun to run is not pushed aside by the next.
    """
    for pid in pids:
        try:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            return


def wait_for(predicate, what):
    end = time.monotonic() + BOUND
    while not predicate():
        if time.monotonic() > end:
            raise Failure(f"not within {BOUND} s: {what}")
        time.sleep(0.002)


def get(port, path, host="127.0.0.1"):
    """(status, body) of one request."""
    connection = http.client.HTTPConnection(host, port, timeout=BOUND)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape(server, peers):
    """One, which must be whole and name so many peers."""
    status, text = get(server.metrics_ports[0], "/metrics")
    found = re.search(r"^pilot_beacon_wss_active (\d+)$", text, re.M)
    if status != 200 or not found or int(found[1]) != peers:
        raise Failure(f"scrape: {status}, {found and found[0]}")


class Scraper(threading.Thread):
    """So many scrapes, or as many as there is time for; seconds of each."""

    def __init__(self, server, peers, most, pause):
        super().__init__(daemon=True)
        self.server, self.peers = server, peers
        self.most, self.pause = most, pause
        self.took, self.failed = [], None
        self.over = threading.Event()

    def run(self):
        try:
            while len(self.took) < self.most and not self.over.is_set():
                begin = time.monotonic()
                scrape(self.server, self.peers)
                self.took.append(time.monotonic() - begin)
                self.over.wait(self.pause)
        except Exception as why:
            self.failed = why

    def end(self, at_once):
        if at_once:
            self.over.set()
        self.join()
        if self.failed is not None:
            raise self.failed
        return self.took


def reload(server, count, signalled):
    """The count-th, asked for by a signal or by beaconctl."""
    if signalled:
        os.kill(server.proc.pid, signal.SIGHUP)
    else:
        server.ctl("reload")
    wait_for(lambda: sum("configuration read again" in line
                         for line in server.lines) == count, "a reload")


def gone(port):
    """A worker that has not been told yet may still answer."""
    try:
        get(port, "/health", "127.0.0.2")
    except ConnectionError:
        return True
    return False


def listeners(server, keys):
    """Reloads by turns add a listener and take it away; seconds of it all."""
    begin = time.monotonic()
    for i in range(0, RELOADS, 2):
        after = len(server.lines)
        server.configure(keys, 1, [METRICS, FURTHER])
        reload(server, i + 1, i % 4 == 0)
        port = next(int(found[1]) for found in (
            re.search(r" listening on 127\.0\.0\.2:(\d+) ", line)
            for line in server.lines[after:]) if found)
        status, _ = get(port, "/health", "127.0.0.2")
        if status != 200:
            raise Failure(f"the listener that was added says {status}")
        server.configure(keys, 1, [METRICS])
        reload(server, i + 2, i % 4 == 0)
        wait_for(lambda: gone(port), "the end of a listener")
        time.sleep(EVERY)
    return time.monotonic() - begin


def drops(server):
    return {row["labels"]["reason"]: row["value"]
            for row in server.ctl("show", "metrics")
            if row["name"] == "pilot_beacon_drops_total" and row["value"]}


def operate(keys):
    with Beacond(options.build, keys, workers=2, more=[METRICS],
                 cores=ALL_CORES) as server, \
            Load(options.build, "ws", server, "-n", PAIRS, "-r", RATE, "-s",
                 SIZE, "-d", 300, "-1", cores=ALL_CORES) as load:
        undisturbed(*server.pids, load.proc.pid)
        load.wait("open")
        load.go()
        load.wait("start")
        wait_for(lambda: f"wss_active {2 * PAIRS}\n" in
                 get(server.metrics_ports[0], "/metrics")[1], "the sums")
        load.go()
        scraper = Scraper(server, 2 * PAIRS, SCRAPES, 0.005)
        scraper.start()
        seconds = listeners(server, keys)
        took = scraper.end(False)
        load.stop()
        load.wait("end")
        server.check()
        lost, peers = drops(server), len(server.ctl("show", "peers"))
        load.go()
        result = load.result()
    if lost or peers != 2 * PAIRS or len(took) != SCRAPES:
        raise Failure(f"dropped: {lost}; {peers} peers, {len(took)} scrapes")
    print(f"{2 * PAIRS} peers, {result['delivered']} packets in "
          f"{result['seconds']:.1f} s ({RATE}/s asked for), median "
          f"{result['latency_us']['p50'] / 1000:.2f} ms, p99 "
          f"{result['latency_us']['p99'] / 1000:.2f}: "
          f"{RELOADS} reloads in {seconds:.1f} s, {RELOADS // 2} listeners "
          f"came and went, {SCRAPES} scrapes of "
          f"{statistics.median(took) * 1e3:.1f} ms: nothing lost, nobody "
          f"closed")


def pair_round(server, scrapes):
    """p99 in ms of some pairs for a while, and the parent's CPU in ms/s."""
    with Load(options.build, "ws", server, "-n", OPEN_PAIRS, "-r", OPEN_RATE,
              "-s", SIZE, "-d", ROUND, "-b", CROWD, "-1", cores=ALL_CORES) as load:
        undisturbed(load.proc.pid)
        load.wait("open")
        load.go()
        load.wait("start")
        wait_for(lambda: f"wss_active {CROWD + 2 * OPEN_PAIRS}\n" in
                 get(server.metrics_ports[0], "/metrics")[1], "the sums")
        scraper = Scraper(server, CROWD + 2 * OPEN_PAIRS, 1 << 30, EVERY)
        begin, before = time.monotonic(), cpu_ns(server.proc.pid)
        load.go()
        if scrapes:
            scraper.start()
        load.wait("end")
        used = cpu_ns(server.proc.pid) - before
        seconds = time.monotonic() - begin
        took = scraper.end(True) if scrapes else []
        load.go()
        result = load.result()
    return result["latency_us"]["p99"] / 1e3, used / 1e6 / seconds, took


def turns(server, seconds):
    """ms of each turn of the parent's loop while it is asked and scraped, from
    the end of a wait to the beginning of the next one: what the kernel saw."""
    path = os.path.join(server.dir, "turns")
    tracer = subprocess.Popen(
        ["perf", "trace", "-p", str(server.proc.pid), "-e",
         "epoll_wait,epoll_pwait", "-o", path, "sleep", str(seconds)],
        stderr=subprocess.DEVNULL)
    scraper = Scraper(server, CROWD, 1 << 30, EVERY)
    scraper.start()
    while tracer.poll() is None:
        server.ctl("show", "metrics")
        time.sleep(EVERY)
    scraper.end(True)
    with open(path) as f:
        waits = [(float(m[1]), float(m[1]) + float(m[2])) for m in re.finditer(
            r"^ *([\d.]+) \( *([\d.]+) ms\): epoll", f.read(), re.M)]
    if len(waits) < seconds:
        raise Failure("perf saw no turns of the parent's loop")
    return [after[0] - before[1] for before, after in zip(waits, waits[1:])]


def asked_cpu(server, times):
    """ms of CPU of the parent for each `beaconctl show metrics`."""
    before = cpu_ns(server.proc.pid)
    for _ in range(times):
        server.ctl("show", "metrics")
    return (cpu_ns(server.proc.pid) - before) / 1e6 / times


def scrapes_of_many(keys):
    with Beacond(options.build, keys, workers=4, peers=CROWD,
                 more=[METRICS], cores=ALL_CORES) as server, \
            Crowd(options.build, server, CROWD, hold=300) as crowd:
        crowd.open()
        undisturbed(*server.pids)
        assert program(server.proc.pid) == "beacond"
        without, among = [], []
        for _ in range(options.rounds):
            without.append(pair_round(server, False))
            among.append(pair_round(server, True))
        wait_for(lambda: f"wss_active {CROWD}\n" in
                 get(server.metrics_ports[0], "/metrics")[1], "the sums")
        by_ctl = asked_cpu(server, 100)
        found = turns(server, 10)
        server.check()
        crowd.results()
    cpu = [statistics.median(row[1] for row in rows)
           for rows in (without, among)]
    p99 = [statistics.median(row[0] for row in rows)
           for rows in (without, among)]
    n = sum(len(row[2]) for row in among)
    each = statistics.median(t for row in among for t in row[2]) * 1e3
    ratio = statistics.median(b[0] / a[0] for a, b in zip(without, among))
    per_scrape = max(0., cpu[1] - cpu[0]) * ROUND * options.rounds / n
    print(f"{CROWD} peers, {n} scrapes of {each:.1f} ms\n"
          f"  parent, CPU: {cpu[0]:.2f} ms a second without scrapes, "
          f"{cpu[1]:.2f} with: {per_scrape:.3f} ms a scrape; "
          f"{by_ctl:.3f} ms for \"show metrics\"\n"
          f"  parent, wall: at most {max(found):.2f} ms in one turn of "
          f"{len(found)}, median {statistics.median(found):.3f}\n"
          f"  p99 of a relay: {p99[0]:.3f} ms without, {p99[1]:.3f} with; "
          f"ratio {ratio:.2f}")
    return (max(cpu[1], by_ctl, per_scrape, max(found)) > MOST_MS or
            ratio > MOST_SLOWER)


def key_file(scratch, nodes):
    path = os.path.join(scratch, f"keys{nodes}")
    subprocess.run([os.path.join(options.build, "bench", "load"), "keys",
                    "-n", str(nodes), path], check=True)
    os.chmod(path, 0o644)
    return path


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["operate", "scrapes"])
    options = parser.parse_args()
    worse = False
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        if options.only != "scrapes":
            operate(key_file(scratch, 2 * PAIRS))
        if options.only != "operate":
            worse = scrapes_of_many(key_file(scratch, CROWD + 2 * OPEN_PAIRS))
    return worse


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(str(failure))
