#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Everything at once, for as long as is wanted: what an operator does, what dies,
who comes and goes, by all ways.  regress/load/README.md says more.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "bench"))
from harness import ALL_CORES, Beacond, Failure, Load  # noqa: E402

WORKERS = 3
SETTLE = 30         # seconds, for whatever was asked for
MEMORY = 6144       # KiB that a process may have more than in the beginning
UDP_LOST = 0.03     # of all: with what a worker had not read, and until a beacon
                    # hears again of a node that is with the other
CHURN, CHURNERS = 10000, 100

# Name, mode of the generator, its way, first node, pairs, packets/s.  The
# router knows nobody but WebSocket peers, so UDP is for the other beacon's.
FLOWS = [
    ("websocket", "ws", "direct", 0, 50, 500),
    ("by haproxy", "ws", "haproxy", 1000, 20, 200),
    ("by nginx", "ws", "nginx", 2000, 20, 200),
    ("keys of a registry", "ws", "direct", 3000, 20, 200),
    ("udp", "udp", "direct", 4000, 20, 200),
    ("udp and websocket", "mixed", "other", 5000, 20, 200),
    ("between two beacons", "mixed", "across", 6000, 20, 200),
]
BY_REGISTRY = 3000

options = None  # of the command line


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ahead(*pids):
    """Of what else the machine does; their children follow them."""
    for pid in pids:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def wait_for(predicate, what, bound=SETTLE):
    end = time.monotonic() + bound
    while not predicate():
        if time.monotonic() > end:
            raise Failure(f"not within {bound} s: {what}")
        time.sleep(0.05)


class Soaked(Beacond):
    """All that there is to a beacon is switched on."""

    def __init__(self, number, keys, udp, other, registry):
        self.number, self.udp, self.other = number, udp, other
        self.registry = registry
        self.moving = threading.Lock()
        super().__init__(options.build, keys, workers=WORKERS,
                         cores=ALL_CORES)
        self.keys = keys
        ahead(*self.pids)

    def _conf(self, keys, workers, listeners, more):
        os.chown(self.dir, 65534, 65534)
        return f"""
listen on 127.0.0.1 port 0
listen on 127.0.0.1 port 0 proxy protocol
listen udp on 127.0.0.1 port {self.udp}
metrics on 127.0.0.1 port 0
beacon id {self.number}
peer beacon 127.0.0.1 port {self.other}
keys file "{keys}"
registry "{self.registry}"
workers {workers}
control socket "{self.dir}/ctl.sock"
router socket "{self.dir}/router.sock"
source packet limit 0
user "nobody"
"""

    def children(self, role):
        return [c for c in self.ctl("show", "summary")["children"]
                if c["role"] == role]

    def settled(self):
        """As many as there are to be, and nobody on the way."""
        def check():
            now = self.ctl("show", "summary")["children"]
            return (sum(c["role"] == "worker" for c in now) == self.workers
                    and all(c["state"] == "running" for c in now))
        wait_for(check, f"{self.workers} workers")

    def metric(self, part):
        return sum(m["value"] for m in self.ctl("show", "metrics")
                   if part in m["name"])


# What an operator does, and what happens to one.

def reload(server):
    os.kill(server.proc.pid, signal.SIGHUP)


def resize(server):
    server.workers = random.choice([n for n in (2, 3, 4)
                                    if n != server.workers])
    server.configure(server.keys, 1, ())
    server.ctl("reload")


def drain(server):
    numbers = [c["worker"] for c in server.children("worker")]
    server.ctl("drain", str(random.choice(numbers) % 64))


def upgrade(server):
    server.ctl("upgrade")


def kill(server):
    os.kill(random.choice(server.children("worker"))["pid"], signal.SIGKILL)


ACTIONS = [reload, resize, drain, upgrade, kill]


class Repeated(threading.Thread):
    """do() again and again until it is over, or fails."""

    def __init__(self, do, server):
        super().__init__(daemon=True)
        self.do, self.server = do, server
        self.times = 0
        self.failed = None
        self.over = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.over.wait(1):
                if self.do.__name__ in options.leave_out:
                    continue
                say(self.server, self.do.__name__)
                self.do(self.server)
                self.times += 1
        except BaseException as why:    # for whoever joins
            self.failed = why

    def end(self):
        self.over.set()
        self.join(120)
        if self.failed is not None:
            raise self.failed
        return self.times


def route(server):
    """
    A router comes, takes the relay's place, and leaves in good order.  No
    session moves meanwhile: what it wrote for one that has it may get back, and
    this one does nothing with that.
    """
    with server.moving:
        wait_for(lambda: at_rest(server), "the end of all moves", 60)
        routed(server)
    time.sleep(5)


def at_rest(server):
    before = server.metric("wss_moved_total")
    time.sleep(1)
    return server.metric("wss_moved_total") == before


def routed(server):
    router = subprocess.Popen([os.path.join(options.build, "bench",
                                            "router"),
                               f"{server.dir}/router.sock"],
                              stdout=subprocess.PIPE)
    ahead(router.pid)
    try:
        if router.stdout.readline() != b"attached\n":
            raise Failure("the router does not start")
        time.sleep(3)
        router.terminate()
        if router.wait(10) != 0:
            raise Failure("the router has failed")
    finally:
        router.kill()
        router.wait()
        router.stdout.close()


def churn(server):
    """Logins that are closed at once; what a dying worker ends is no loss."""
    subprocess.run([os.path.join(options.build, "bench", "load"), "login",
                    "-p", server.ports[0], "-n", str(CHURNERS), "-b",
                    str(CHURN), "-k", "8", "-R", "2"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=300)


def look(server):
    server.ctl("show", "peers")
    time.sleep(1)


@contextlib.contextmanager
def proxies(server, scratch):
    """HAProxy and nginx as the examples have them, without TLS."""
    ports = {"haproxy": free_port(), "nginx": free_port()}
    with open(f"{scratch}/haproxy.cfg", "w") as f:
        f.write(f"""
global
	maxconn 1000
defaults
	mode tcp
	timeout connect 5s
	timeout client 120s
	timeout server 120s
listen beacon
	bind 127.0.0.1:{ports["haproxy"]}
	server beacond 127.0.0.1:{server.proxied_ports[0]} send-proxy-v2
""")
    with open(f"{scratch}/nginx.conf", "w") as f:
        f.write(f"""
events {{ worker_connections 1024; }}
http {{
	access_log off;
	client_body_temp_path {scratch}/body;
	proxy_temp_path {scratch}/proxy;
	fastcgi_temp_path {scratch}/fastcgi;
	uwsgi_temp_path {scratch}/uwsgi;
	scgi_temp_path {scratch}/scgi;
	server {{
		listen 127.0.0.1:{ports["nginx"]};
		location / {{
			proxy_pass http://127.0.0.1:{server.ports[0]};
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_read_timeout 120s;
		}}
	}}
}}
""")
    commands = [["haproxy", "-db", "-f", f"{scratch}/haproxy.cfg"],
                ["nginx", "-e", "stderr", "-c", f"{scratch}/nginx.conf", "-g",
                 f"daemon off; pid {scratch}/nginx.pid;"]]
    running = [subprocess.Popen(c, stderr=subprocess.DEVNULL)
               for c in commands]
    ahead(*(proc.pid for proc in running))
    try:
        for port in ports.values():
            wait_for(lambda: connects(port), "a proxy")
        yield ports
    finally:
        for proc in running:
            proc.terminate()
            proc.wait()


def connects(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class To:
    """Where a generator sends its peers."""

    def __init__(self, server, tcp, udp):
        self.name, self.said = server.name, server.said
        self.ports, self.udp_ports = [str(tcp)], [str(udp)]


def held(server):
    """By role: descriptors of all, and KiB of the one that has most."""
    found = {}
    for c in server.ctl("show", "summary")["children"]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{c['pid']}/status") as f:
                rss = next(int(line.split()[1]) for line in f
                           if line.startswith("RssAnon"))
            fds = len(os.listdir(f"/proc/{c['pid']}/fd"))
            was = found.get(c["role"], (0, 0))
            found[c["role"]] = (was[0] + fds, max(was[1], rss))
    return found


def say(server, what):
    if options.verbose:
        print(f"at {time.monotonic():.3f}, beacon {server.number}: {what}, "
              f"{server.metric('moved_late')} late, drops: " + str(
                  {m["labels"]["reason"]: m["value"]
                   for m in server.ctl("show", "metrics")
                   if "drops_total" in m["name"] and m["value"]}),
              file=sys.stderr, flush=True)


def operate(server, seconds):
    """One thing after the other; how often, and what was held on the way."""
    end = time.monotonic() + seconds
    count = dict.fromkeys((a.__name__ for a in ACTIONS), 0)
    samples = []
    while time.monotonic() < end:
        for act in random.sample(ACTIONS, len(ACTIONS)):
            if act.__name__ in options.leave_out:
                continue
            with server.moving if act is not reload else \
                    contextlib.nullcontext():
                say(server, act.__name__)
                act(server)
                time.sleep(1)
                server.settled()
            count[act.__name__] += 1
        samples.append(held(server))
    return count, samples


def key_file(scratch, name, ranges):
    path = os.path.join(scratch, name)
    with open(path, "w") as out:
        for base, count in ranges:
            part = path + ".part"
            subprocess.run([os.path.join(options.build, "bench", "load"),
                            "keys", "-n", str(count), "-b", str(base), part],
                           check=True)
            with open(part) as f:
                out.write(f.read())
    os.chmod(path, 0o644)
    return path


@contextlib.contextmanager
def registry(scratch):
    keys = key_file(scratch, "registered", [(BY_REGISTRY, 40)])
    path = f"{scratch}/registry.sock"
    proc = subprocess.Popen(
        ["/usr/bin/python3", os.path.join(HERE, os.pardir, "system",
                                          "registry.py"), "-u", path, keys],
        stdout=subprocess.DEVNULL)
    ahead(proc.pid)
    try:
        wait_for(lambda: os.path.exists(path), "the registry")
        yield path
    finally:
        proc.terminate()
        proc.wait()


def generators(server, ports, other, seconds, stack):
    loads = []
    for name, mode, way, base, pairs, rate in FLOWS:
        tcp = ports.get(way, (server if way == "direct" else other).ports[0])
        to = To(server, tcp, (other if way == "other" else server).udp)
        load = stack.enter_context(Load(
            options.build, mode, to, "-L", "-n", pairs, "-b", base, "-r",
            rate, "-s", 200, "-d", int(seconds + 600), cores=ALL_CORES))
        ahead(load.proc.pid)
        load.wait("open")
        loads.append((name, load))
    time.sleep(11)  # nodes are told to the other beacon each 10 s
    for _, load in loads:
        load.go()
    for _, load in loads:
        load.wait("start")
    for _, load in loads:
        load.go()
    return loads


def result_of(load):
    """Also that of one that was not content."""
    out, _ = load.proc.communicate(timeout=60)
    return json.loads(out)


def judged(loads):
    """Prints what became of the flows; returns what was missed."""
    missed, udp_lost, udp_all = [], 0, 0
    print(f"{'flows':20} {'packets':>9} {'lost':>5} {'ended':>6} {'cut':>6} "
          f"{'p99 ms':>8}")
    for name, load in loads:
        r = result_of(load)
        print(f"{name:20} {r['delivered']:9} {r['lost']:5} {r['ended']:6} "
              f"{r['cut']:6} {r['latency_us']['p99'] / 1000:8.2f}")
        if r["errors"] or (r["mode"] == "ws" and r["lost"]):
            missed.append(f"{name}: lost {r['lost']}, {r['errors']} errors")
        if r["mode"] != "ws":
            udp_lost += r["lost"]
            udp_all += r["delivered"]
    if udp_lost > UDP_LOST * udp_all:
        missed.append(f"udp: lost {udp_lost} of {udp_all}")
    return missed


def as_before(server):
    server.workers = WORKERS
    server.configure(server.keys, 1, ())
    server.ctl("reload")
    server.settled()


def soak(scratch, stack):
    by_file = [(base, 2 * pairs) for _, _, _, base, pairs, _ in FLOWS
               if base != BY_REGISTRY] + [(CHURN, CHURNERS)]
    keys = key_file(scratch, "keys", by_file)
    known = stack.enter_context(registry(scratch))
    udp = [free_port(socket.SOCK_DGRAM) for _ in range(2)]
    server = stack.enter_context(Soaked(1, keys, *udp, known))
    other = stack.enter_context(Soaked(2, keys, *udp[::-1], known))
    ports = stack.enter_context(proxies(server, scratch))
    seconds = 60 * options.minutes
    before = held(server), held(other)
    loads = generators(server, ports, other, seconds, stack)
    threads = [Repeated(do, server) for do in (route, churn, look)]
    beside = concurrent.futures.ThreadPoolExecutor().submit(operate, other,
                                                            seconds)
    count, samples = operate(server, seconds)
    beside = beside.result()
    times = [thread.end() for thread in threads]
    for one in (server, other):
        as_before(one)
    moved = sum(one.metric("wss_moved_total") for one in (server, other))
    for _, load in loads:
        load.stop()
    for _, load in loads:
        load.wait("end")
        load.go()
    print(f"{options.minutes:g} minutes: " + ", ".join(
        f"{n + beside[0][name]} {name}" for name, n in count.items())
        + f", {times[0]} router, {times[1] * CHURNERS} logins; {moved} "
          f"sessions moved")
    missed = judged(loads)
    for one, was, found in ((server, before[0], samples),
                            (other, before[1], beside[1])):
        wait_for(lambda: one.ctl("show", "summary")["peers"] == 0,
                 "the end of all sessions")
        missed += grown(was, found, held(one))
    return missed


def grown(before, samples, after):
    """What a process has at the end that it did not have before."""
    missed = []
    for role, (fds, _) in before.items():
        first, last = samples[len(samples) // 4][role], samples[-1][role]
        print(f"{role:8} descriptors: {fds} before, {after[role][0]} after; "
              f"KiB: {first[1]} after a quarter, {last[1]} at the end")
        if after[role][0] > fds + 2 or last[1] > first[1] + MEMORY:
            missed.append(f"{role} has grown")
    return missed


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--leave-out", action="append", default=[],
                        help="an action, as the last lines name them")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise Failure("needs root")
    print(f"--seed {options.seed}", flush=True)
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        with contextlib.ExitStack() as stack:
            missed = soak(scratch, stack)
    if missed:
        raise Failure("missed: " + "; ".join(missed))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
