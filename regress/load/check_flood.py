#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Floods of every kind, while pairs of peers relay that must not notice.
regress/load/README.md says what each row means.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "bench"))
from harness import (ALL_CORES, LOAD_CORE, Beacond, Failure, Load,  # noqa: E402
                     on, processes)

PAIRS = 100
RATE = 2000         # packets/s of all pairs
SIZE = 200
BASE = 1000         # the flood's nodes come after this one
NODES = 3000
RATIO = 10.         # p99 among a flood, compared with the same without
FLOOR_MS = 2.       # a p99 below that is as good as this
ATTEMPTS = 3
LEVEL = 30          # seconds, until all is as it was
MEMORY = 8192       # KiB that a process may have more than before
CLIENT = "203.0.113.9"

options = None  # of the command line


def flood(kind, *more, port="ports"):
    return [kind, port, *more]


def each(full, quick):
    """A number for the whole, and for --quick."""
    return str(quick if options.quick else full)


def rows():
    """Name, seconds at least, the floods of it."""
    heads = each(10000, 2000)
    many = flood("connect", "-n", each(8000, 4000), "-c",
                 each(50000, 10000), "-a", "1000")
    half = flood("head", "-n", heads, "-c", heads, "-a", "1000")
    silent = flood("silent", "-n", each(5000, 2000), "-c",
                   each(5000, 2000), "-a", "1000")
    deaf = flood("deaf", "-n", each(1000, 200), "-r", "20000")
    replaced = flood("replaced", "-n", "16", "-r", "1000", "-b", BASE + 1500)
    twins = flood("twins", "-n", "2", "-b", BASE + 1600)
    ping = flood("ping", "-n", "50", "-r", "500", "-b", BASE + 1700)
    fragments = flood("fragments", "-n", "8", "-r", "10", "-b", BASE + 1800)
    grams = flood("datagrams", "-r", "20000")
    scrape = flood("scrape", "-n", "100", "-r", "500", port="metrics")
    said = [f + ["-P", CLIENT] if f[0] in ("connect", "head", "silent") else f
            for f in (many, half, silent)]
    for f in said:
        f[1] = "proxied"
    short, long = int(each(10, 3)), int(each(60, 4))
    return [
        ("connects at once", short, [many]),
        ("half a head", short, [half, half]),
        ("challenge not answered", short, [silent, silent]),
        ("sessions that do not read", int(each(30, 4)), [deaf]),
        ("one node, 1000 logins/s", short, [replaced]),
        ("two daemons, one identity", long, [twins]),
        ("pings, 64 at a time", short, [ping]),
        ("messages in 65536 frames", short, [fragments]),
        ("datagrams, made-up sources", short, [grams]),
        ("scrapes", short, [scrape]),
        ("all, from one address", int(each(30, 8)),
         said + [deaf, replaced, twins, ping, fragments, grams, scrape]),
    ]


class Target(Beacond):
    """With the limits that are the defaults."""

    def _conf(self, keys, workers, listeners, more):
        lines = ["listen on 127.0.0.1 port 0"] * listeners + [
            "listen on 127.0.0.1 port 0 proxy protocol",
            "listen udp on 127.0.0.1 port 0",
            "metrics on 127.0.0.1 port 0",
            "trusted proxy 127.0.0.1",
            f'keys file "{keys}"',
            f"workers {workers}",
            f'control socket "{self.dir}/ctl.sock"',
            'user "nobody"', *more]
        os.chown(self.dir, 65534, 65534)
        return "\n".join(lines) + "\n"


class Flood:
    """Some generators, on the last core, behind what they flood."""

    def __init__(self, server, floods):
        ports = {"ports": server.ports, "proxied": server.proxied_ports,
                 "metrics": [str(p) for p in server.metrics_ports]}
        self.procs = [subprocess.Popen(
            [os.path.join(options.build, "bench", "flood"), kind,
             "-p", ",".join(ports[port]), "-u", server.udp_ports[0],
             *(("-b", str(BASE)) if "-b" not in more else ()),
             *map(str, more)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=on(LOAD_CORE)) for kind, port, *more in floods]

    def done(self):
        for proc in self.procs:
            line = proc.stdout.readline()
            if line != "mark done\n":
                raise Failure(f"{proc.args}: {line!r}")

    def stop(self):
        found = []
        for proc in self.procs:
            found.append(json.loads(proc.communicate("\n", timeout=60)[0]))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for proc in self.procs:
            if proc.poll() is None:
                proc.kill()
            proc.wait()


def ahead(*pids):
    """Who floods, and what else this machine does, take what is left."""
    for pid in pids:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def pairs(server, seconds, meanwhile=None):
    """The pairs for so long, or as long as meanwhile() takes; the result."""
    with Load(options.build, "ws", server, "-n", PAIRS, "-r", RATE, "-s",
              SIZE, "-d", 300, cores=ALL_CORES) as load:
        ahead(load.proc.pid)
        load.wait("open")
        load.go()
        load.wait("start")
        load.go()
        end = time.monotonic() + seconds
        found = meanwhile() if meanwhile else None
        time.sleep(max(0, end - time.monotonic()))
        load.stop()
        load.wait("end")
        load.go()
        return load.result(), found


def held(server):
    """Descriptors, and KiB of memory, of each process."""
    found = {}
    for pid in processes(server.proc.pid):
        with open(f"/proc/{pid}/status") as f:
            rss = next(int(line.split()[1]) for line in f
                       if line.startswith("RssAnon"))
        found[pid] = len(os.listdir(f"/proc/{pid}/fd")), rss
    return found


def level(server, before):
    """Waits until all is as before; returns the KiB that are most above."""
    end = time.monotonic() + LEVEL
    while True:
        now = held(server)
        peers = server.ctl("show", "summary")["peers"]
        if peers == 0 and all(now[pid][0] <= before[pid][0] + 1
                              for pid in before if pid in now):
            break
        if time.monotonic() > end:
            raise Failure(f"not as before: {peers} peers, {before}, {now}")
        time.sleep(0.1)
    server.check()
    return max(now[pid][1] - before[pid][1] for pid in before)


def row(server, name, seconds, floods):
    """
    Quiet, then flooded, then as before.  Returns whether only the ratio was
    missed; what else is, is an error.
    """
    quiet, _ = pairs(server, 3)
    level(server, held(server))
    before = held(server)

    def meanwhile():
        with Flood(server, floods) as flooding:
            begin = time.monotonic()
            flooding.done()
            time.sleep(max(0, begin + seconds - time.monotonic()))
            return flooding.stop()

    busy, tried = pairs(server, 0, meanwhile)
    more = level(server, before)
    p99 = [max(r["latency_us"]["p99"] / 1000, FLOOR_MS)
           for r in (quiet, busy)]
    ratio = p99[1] / p99[0]
    print(f"{name:27} {sum(t['tried'] for t in tried):9} {busy['lost']:5} "
          f"{quiet['latency_us']['p99'] / 1000:8.2f} "
          f"{busy['latency_us']['p99'] / 1000:8.2f} {ratio:6.2f} "
          f"{max(more, 0):8}" + (" MISSED" if ratio > RATIO else ""),
          flush=True)
    if more > MEMORY:   # once is what malloc() keeps, twice is a leak
        before = held(server)
        pairs(server, 0, meanwhile)
        more = level(server, before)
        print(f"{'':27} again, after that: {more} KiB more")
    if more > MEMORY:
        raise Failure(f"{name}: {more} KiB more than before, twice")
    return ratio > RATIO


def attempts(keys, name, seconds, floods):
    """Some, as a p99 can be of what else the machine does."""
    for _ in range(ATTEMPTS):
        with Target(options.build, keys, workers=2, peers=28000,
                    cores=ALL_CORES) as server:
            ahead(*server.pids)
            if not row(server, name, seconds, floods):
                return False
    return True


def key_file(scratch):
    path = os.path.join(scratch, "keys")
    subprocess.run([os.path.join(options.build, "bench", "load"), "keys",
                    "-n", str(NODES), path], check=True)
    os.chmod(path, 0o644)
    return path


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="rows that have this in their name")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise Failure("needs root: for sources that there are not, and to "
                      "run the pairs ahead of the floods")
    print(f"{'flood':27} {'tried':>9} {'lost':>5} {'quiet':>8} {'under':>8} "
          f"{'ratio':>6} {'KiB more':>8}")
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        keys = key_file(scratch)
        for name, seconds, floods in rows():
            if options.only and options.only not in name:
                continue
            if attempts(keys, name, seconds, floods):
                missed.append(name)
    if missed:
        raise Failure("missed: " + ", ".join(missed))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
