# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""Servers, load generators and what the kernel says of both."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

START_LIMIT = 60  # seconds, until a server is ready
STOP_LIMIT = 10
GENERATOR_FDS = 18000  # peers that one generator holds
PORT_PEERS = 7000  # to one port; with more the kernel searches long for a free one

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = {CORES[0]}
LOAD_CORE = {CORES[-1]}
TWO_CORES = set(CORES[:2])
ALL_CORES = set(CORES)


class Failure(Exception):
    """A run that is worth nothing: the benchmark ends."""


def on(cores, nice=0):
    """What a child does before it executes its program."""
    def prepare():
        os.sched_setaffinity(0, cores)
        if os.geteuid() == 0:
            os.nice(nice)
    return prepare


def processes(pid):
    """The process and all its descendants."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                found += processes(int(child))
    return found


def cpu_ns(pid):
    """CPU time of one process, all threads, in ns."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def program(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise Failure(f"no Pss in /proc/{pid}/smaps_rollup")


class Server:
    """A program that says on standard error where it listens, then "ready"."""

    def __init__(self, argv, cores=SERVER_CORE):
        self.name = os.path.basename(argv[0])
        self.argv = argv
        self.cores = cores
        self._start(argv)

    def _start(self, argv):
        self.ports = []
        self.udp_ports = []
        self.metrics_ports = []
        self.proxied_ports = []  # of those with the PROXY protocol
        self.lines = []
        self.ready = threading.Event()
        self.proc = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True,
                                     preexec_fn=on(self.cores))
        self.reader = threading.Thread(target=self._read, daemon=True,
                                       args=(self.proc,))
        self.reader.start()
        if not self.ready.wait(START_LIMIT) or self.proc.poll() is not None:
            self.stop()
            raise Failure(f"{self.name} does not start:\n" + self.said())
        self.pids = processes(self.proc.pid)

    def _read(self, proc):
        for line in proc.stderr:
            self.lines.append(line)
            found = re.search(r"listening on \S+:(\d+) "
                              r"\((\w+)(, proxy protocol)?\)", line)
            if found and found[2] == "udp":
                self.udp_ports.append(found[1])
            elif found and found[2] == "metrics":
                self.metrics_ports.append(int(found[1]))
            elif found and found[3]:
                self.proxied_ports.append(found[1])
            elif found:
                self.ports.append(found[1])
            if line.rstrip().endswith(": ready"):
                self.ready.set()
        self.ready.set()

    def said(self):
        return "".join(self.lines[-20:])

    def check(self):
        """All the processes that it began with, and no others."""
        if self.proc.poll() is not None or \
                processes(self.proc.pid) != self.pids:
            raise Failure(f"{self.name} lost a process:\n" + self.said())

    def cpu_ns(self):
        return sum(cpu_ns(pid) for pid in self.pids)

    def cpu_ns_by_program(self):
        used = {}
        for pid in self.pids:
            name = program(pid)
            used[name] = used.get(name, 0) + cpu_ns(pid)
        return used

    def pss_bytes(self):
        return sum(pss_bytes(pid) for pid in self.pids)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
        try:
            self.proc.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.reader.join(STOP_LIMIT)
        self.proc.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Profile:
    """Where some processes spend their time, written as a text in the end."""

    LINES = 25
    LINE = re.compile(r" *([\d.]+)% *;(?: *[\d.]+% *;)?([^;]*?) *;"
                      r"([^;]*?) *;([^;]*?) *;")
    NAMELESS = re.compile(r"\] (0x)?[0-9a-f]{16}$")
    TABLES = (("by themselves", "--no-children"),
              ("with all that they call", "--children"))

    def __init__(self, pids, path, head):
        self.path = path
        self.head = head
        self.data = path + ".data"
        self.proc = subprocess.Popen(
            ["perf", "record", "-q", "-g", "-F", "1999", "-o", self.data,
             "-p", ",".join(map(str, pids))], stderr=subprocess.DEVNULL)

    def _table(self, option):
        out = subprocess.run(
            ["perf", "report", "-i", self.data, "--stdio", "-g", "none",
             "-t", ";", option, "--sort", "comm,dso,symbol"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            check=True).stdout
        shares = {}
        for line in out.splitlines():
            found = self.LINE.match(line)
            if not found:
                continue
            share, process, dso, symbol = found.groups()
            if self.NAMELESS.search(symbol):
                if option == "--children":
                    continue  # one frame after another, each time the same
                symbol = "without a symbol"
            key = process, dso, symbol
            shares[key] = shares.get(key, 0) + float(share)
        ranks = sorted(shares.items(), key=lambda item: -item[1])
        return [f"{share:6.2f} %  {process:14}  {dso:20} {symbol}"
                for (process, dso, symbol), share in ranks[:self.LINES]]

    def stop(self):
        self.proc.send_signal(signal.SIGINT)
        self.proc.wait()
        with open(self.path, "w") as f:
            f.write(self.head + "\n")
            for title, option in self.TABLES:
                f.write(f"\nprocess, file and symbol, {title}\n")
                for line in self._table(option):
                    f.write(line + "\n")
        os.unlink(self.data)


class Beacond(Server):
    """beacond with a configuration of its own in a directory of its own."""

    profile = None

    def __init__(self, build, keys, workers=1, peers=0, cores=SERVER_CORE,
                 more=(), routed=False):
        """
        more: lines of it.  keys: a file, or None: more says where they are.
        routed: by a router, which counts as a part of it.
        """
        self.build = build
        self.router = None
        self.dir = tempfile.mkdtemp(prefix="bench-")
        if routed:
            more = [*more, f'router socket "{self.dir}/router.sock"']
        os.chmod(self.dir, 0o755)
        self.conf = os.path.join(self.dir, "beacond.conf")
        self.workers = workers
        self.configure(keys, 1 + peers // PORT_PEERS, more)
        try:
            super().__init__([os.path.join(build, "beacond"), "-d", "-f",
                              self.conf], cores)
        except Failure:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        if routed:
            self._attach(cores)

    def configure(self, keys, listeners, more):
        """For the start, or the next reload."""
        with open(self.conf, "w") as f:
            f.write(self._conf(keys, self.workers, listeners, more))

    def _attach(self, cores):
        self.router = subprocess.Popen(
            [os.path.join(self.build, "frame-relay"),
             f"{self.dir}/router.sock"], stdout=subprocess.PIPE,
            preexec_fn=on(cores))
        if self.router.stdout.readline() != b"attached\n":
            raise Failure("the router does not start")

    def cpu_ns(self):
        return super().cpu_ns() + (
            cpu_ns(self.router.pid) if self.router else 0)

    def _conf(self, keys, workers, listeners, more):
        lines = ["listen on 127.0.0.1 port 0"] * listeners + list(more)
        if keys is not None:
            lines.append(f'keys file "{keys}"')
        lines += [
            "listen udp on 127.0.0.1 port 0",
            f"workers {workers}",
            f'control socket "{self.dir}/ctl.sock"',
            "max peers 0",
            "source packet limit 0",
            "source upgrade limit 0",
        ]
        if os.geteuid() == 0:
            lines.append('user "nobody"')
            shutil.chown(self.dir, "nobody")
        return "\n".join(lines) + "\n"

    def take_over(self):
        """By another parent; the seconds from its start to the old one's end."""
        old, reader = self.proc, self.reader
        begin = time.monotonic()
        self._start([*self.argv, "-u"])
        old.wait(STOP_LIMIT)
        took = time.monotonic() - begin
        reader.join(STOP_LIMIT)
        old.stderr.close()
        return took

    def ctl(self, *words):
        out = subprocess.run(
            [os.path.join(self.build, "beaconctl"), "-j", "-s",
             os.path.join(self.dir, "ctl.sock"), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
            timeout=60).stdout
        return json.loads(out) if out else None

    def workers_of(self, nodes):
        """Which worker holds which of these nodes."""
        where = {row["node"]: row["worker"]
                 for row in self.ctl("show", "peers")}
        return {node: where[node] for node in nodes}

    def record(self, path, head):
        """From here to the end; path is for the report."""
        routers = [self.router.pid] if self.router else []
        self.profile = Profile(self.pids + routers, path, head)

    def stop(self):
        if self.profile is not None:
            self.profile.stop()
        if self.router is not None:
            self.router.terminate()
            self.router.wait(STOP_LIMIT)
            self.router.stdout.close()
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Load:
    """One load generator.  wait() runs it up to its next mark."""

    def __init__(self, build, mode, server, *options, cores=LOAD_CORE,
                 nice=0):
        argv = [os.path.join(build, "bench", "load"), mode]
        if server.ports:
            argv += ["-p", ",".join(server.ports)]
        if server.udp_ports:
            argv += ["-u", server.udp_ports[0]]
        argv += [str(o) for o in options]
        self.server = server
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True,
                                     preexec_fn=on(cores, nice))

    def wait(self, what):
        line = self.proc.stdout.readline()
        if line != f"mark {what}\n":
            self.kill()
            raise Failure(f"{' '.join(self.proc.args)}: wanted the mark "
                          f"{what}, got {line!r}; {self.server.name} said:\n"
                          + self.server.said())

    def go(self, lines=""):
        self.proc.stdin.write(lines + "go\n")
        self.proc.stdin.flush()

    def stop(self):
        """Before its time is over."""
        self.proc.stdin.write("stop\n")
        self.proc.stdin.flush()

    def result(self):
        """Ends its input and reads what it found."""
        self.proc.stdin.close()
        line = self.proc.stdout.readline()
        self.proc.stdout.close()
        if self.proc.wait() != 0:
            raise Failure(f"{' '.join(self.proc.args)}: {line}")
        return json.loads(line)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def measure(load, server, pairs=""):
    """
    Takes a generator of pairs or logins from its first mark to its result;
    adds what the server's processes used between "start" and "end", and what
    the generator did.
    """
    if load.proc.args[1] != "login":
        load.wait("open")
        load.go(pairs() if callable(pairs) else pairs)
    load.wait("start")
    server.check()
    before, generator = server.cpu_ns(), cpu_ns(load.proc.pid)
    load.go()
    load.wait("end")
    used = server.cpu_ns() - before
    generator = cpu_ns(load.proc.pid) - generator
    server.check()
    load.go()
    result = load.result()
    n = result["delivered"] or result["opened"]
    result["cpu_us"] = used / 1000 / n
    result["generator_us"] = generator / 1000 / n
    result["per_second"] = n / result["seconds"]
    return result


class Crowd:
    """Peers that are there and do nothing, in as many generators as needed."""

    def __init__(self, build, server, peers, base=0, mode="idle",
                 at_once=256, hold=240, cores=LOAD_CORE, nice=0, again=0):
        """again: who is told to try later does, within so many seconds."""
        self.loads = []
        more = ["-R", again] if again else []
        left = peers
        while left > 0:
            n = min(left, GENERATOR_FDS)
            self.loads.append(Load(build, mode, server, "-n", n, "-b", base,
                                   "-k", at_once, "-d", hold, *more,
                                   cores=cores, nice=nice))
            base += n
            left -= n
        for load in self.loads:
            load.wait("start")

    def open(self):
        """Returns the seconds until the last peer was in."""
        begin = time.monotonic()
        for load in self.loads:
            load.go()
        for load in self.loads:
            load.wait("end")
        seconds = time.monotonic() - begin
        for load in self.loads:
            load.go()
        return seconds

    def results(self):
        return [load.result() for load in self.loads]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for load in self.loads:
            load.kill()
