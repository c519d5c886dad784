# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Metrics over HTTP: a process of its own, which costs nobody anything."""

import os
import re
import signal
import socket
import subprocess

import pytest

from beacon import Beacon, alive, wait_for
from client import login
from test_sandbox import sanitized

CONF = "metrics on 127.0.0.1 port 0\n"
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
SLOW = 5    # seconds that a connection may take


class Metered(Beacon):
    def __init__(self, conf="", **how):
        super().__init__(CONF + conf, **how)

    def start(self, *args):
        super().start(*args)
        self.metrics_port, = self.listening("metrics")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.metrics_port), 10)

    def ask(self, request):
        """What comes back for these bytes, to the end."""
        with self.connect() as s:
            s.sendall(request)
            return everything(s)

    def get(self, path="/metrics", accept=None, method="GET"):
        """(status, headers, body)"""
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: localhost"]
        lines += ["Accept: " + accept] if accept else []
        answer = self.ask(("\r\n".join(lines) + "\r\n\r\n").encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest)
        if method == "GET":
            assert int(headers["content-length"]) == len(body)
        return int(first.split()[1]), headers, body.decode()

    def scrape(self, accept=None):
        status, _, body = self.get(accept=accept)
        assert status == 200, body
        return body

    def values(self):
        return values(self.scrape())


def everything(s):
    data = b""
    while True:
        more = s.recv(65536)
        if not more:
            return data
        data += more


def values(text):
    return {name: float(value) for name, value in
        (line.rsplit(" ", 1) for line in text.splitlines()
            if not line.startswith("#"))}


def of_worker(name, number=0):
    return 'pilot_beacon_process_%s{role="worker",number="%d"}' % (name,
        number)


def test_off_unless_it_is_wanted():
    with Beacon() as b:
        assert not b.listening("metrics")
        assert not b.pid_of("metrics")


def test_promtool_finds_nothing_to_say():
    with Metered() as b:
        run = subprocess.run(["promtool", "check", "metrics"],
            input=b.scrape(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        assert run.returncode == 0 and not run.stdout, run.stdout


def test_openmetrics_is_what_its_own_parser_takes():
    from prometheus_client.openmetrics.parser import \
        text_string_to_metric_families
    with Metered() as b:
        status, headers, body = b.get(accept=OPEN)
        assert status == 200
        assert headers["content-type"].startswith(
            "application/openmetrics-text; version=1.0.0")
        assert body.endswith("\n# EOF\n")
        families = {f.name: f for f in text_string_to_metric_families(body)}
        assert families["pilot_beacon_udp_bytes"].unit == "bytes"
        assert families["pilot_beacon_process_cpu_seconds"].type == "counter"
        plain = b.get(accept="text/html,*/*")
        assert plain[1]["content-type"].startswith("text/plain; version=0.0.4")
        assert set(values(plain[2])) == {s.name + labels(s.labels)
            for f in families.values() for s in f.samples}


def labels(of):
    return "{%s}" % ",".join('%s="%s"' % kv for kv in of.items()) if of \
        else ""


def test_values_are_those_of_beaconctl():
    with Metered(workers=1) as b:
        clients = [login(b, n) for n in range(1, 6)]
        b.ask(b"\0\r\n\r\n")
        def same():
            told, shown = b.values(), b.metrics()
            return all(told[name] == value for name, value in shown.items()
                if "metrics_requests" not in name)
        wait_for(same, what="the values of beaconctl")
        told = b.values()
        assert set(b.metrics()) < set(told)
        assert told["pilot_beacon_wss_active"] == 5
        assert told["pilot_beacon_keys"] == 32
        assert told[of_worker("sessions")] == 5
        assert told[of_worker("up")] == 1
        assert told['pilot_beacon_metrics_requests_total{outcome="error"}'] \
            == 1
        summary = b.ctl("show", "summary")
        assert told["pilot_beacon_start_time_seconds"] == summary["started"]
        assert told['pilot_beacon_build_info{version="%s"}' %
            summary["version"]] == 1
        assert "metrics" in {c["role"] for c in summary["children"]}
        for client in clients:
            client.close()


def test_a_restart_and_a_reload_are_seen():
    with Metered(workers=1) as b:
        b.wait_new("worker", b.kill("worker"))
        b.ctl("reload")
        with open(b.conf_path, "a") as f:
            f.write("nonsense\n")
        b.ctl("reload", ok=1)
        name = "pilot_beacon_reloads_total"
        def seen():
            told = b.values()
            return (told[of_worker("restarts_total")] == 1 and
                told[name + '{outcome="ok"}'] == 1 and
                told[name + '{outcome="error"}'] == 1 and
                told["pilot_beacon_last_reload_successful"] == 0)
        wait_for(seen)
        told = b.values()
        assert (told["pilot_beacon_last_reload_success_time_seconds"] >=
            told["pilot_beacon_start_time_seconds"])


def test_cpu_time_is_that_of_the_process():
    with Metered(workers=1) as b:
        for n in range(1, 30):
            login(b, n).close()
        def grows():
            told = b.values()
            return told[of_worker("cpu_seconds_total")] > 0
        wait_for(grows)
        told = b.values()[of_worker("cpu_seconds_total")]
        with open("/proc/%d/stat" % b.pid_of("worker")) as f:
            fields = f.read().rpartition(")")[2].split()
        real = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        assert abs(told - real) < 0.5, (told, real)


REQUESTS = [
    (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
    (b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    (b"GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400),
    (b"GET /metric HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"GET /metrics/../ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /metrics HTTP/1.1\nHost: x\n\n", 400),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"\0" * 10, 400),
    (b"x" * 5000, 400),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 5000, 400),
]


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_requests(number):
    request, status = REQUESTS[number]
    with Metered(workers=1) as b:
        answer = b.ask(request)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
        assert b"\r\nConnection: close\r\n" in answer
        assert (b"\r\nAllow: GET, HEAD\r\n" in answer) == (status == 405)


def test_head_has_no_body():
    with Metered(workers=1) as b:
        status, headers, body = b.get(method="HEAD")
        assert status == 200 and body == ""
        assert int(headers["content-length"]) > 1000


def test_a_slow_client_is_given_up():
    with Metered(workers=1) as b, b.connect() as silent, b.connect() as slow:
        slow.sendall(b"GET /metr")
        assert b.scrape()
        for s in silent, slow:
            s.settimeout(SLOW + 5)
            assert s.recv(1) == b""
        wait_for(lambda: b.values()[
            'pilot_beacon_metrics_requests_total{outcome="timeout"}'] >= 1)


def test_a_flood_of_connections_costs_no_scrape():
    with Metered(workers=1) as b:
        client = login(b, 1)
        flood = [b.connect() for _ in range(200)]
        for s in flood:
            s.sendall(b"G")
        pid = b.pid_of("metrics")
        for _ in range(5):
            assert b.scrape()
        open_ = len(os.listdir("/proc/%d/fd" % pid))
        assert open_ < 64 + 20, open_
        crowded = 'pilot_beacon_metrics_requests_total{outcome="crowded"}'
        wait_for(lambda: b.values()[crowded] >= 200 - 64)
        for s in flood:
            s.close()
        assert b.pid_of("metrics") == pid
        client.close()


def test_its_death_costs_scrapes_only():
    with Metered() as b:
        clients = [login(b, n) for n in range(1, 5)]
        old = b.kill("metrics")
        b.wait_new("metrics", old)
        assert not alive(old)
        assert b.values()["pilot_beacon_wss_active"] == 4
        assert b.values()['pilot_beacon_process_restarts_total'
            '{role="metrics",number="0"}'] == 1
        for client in clients:
            client.close()


def test_scrapes_move_nothing():
    with Metered() as b:
        clients = [login(b, n) for n in range(1, 5)]
        pids = {c["role"]: c["pid"] for c in b.children()}
        before = b.metrics()
        for i in range(200):
            assert b.scrape(OPEN if i % 2 else None)
        after = b.metrics()
        moved = {name for name in after if after[name] != before[name]}
        # There may be pings.
        moved -= {"pilot_beacon_wss_bytes_out_total"}
        assert moved == {'pilot_beacon_metrics_requests_total{outcome="ok"}'}
        assert pids == {c["role"]: c["pid"] for c in b.children()}
        for client in clients:
            client.close()


def test_it_holds_little():
    """Its channel, log, listener, loop: no socket of a session, no map."""
    with Metered(udp=True) as b:
        client = login(b, 1)
        assert b.scrape()
        pid = b.pid_of("metrics")
        with open("/proc/%d/maps" % pid) as f:
            names = re.findall(r"/memfd:(\S+)", f.read())
        assert sorted(set(names)) == ["metrics", "sums"], names
        if not sanitized(b):
            with open("/proc/%d/status" % pid) as f:
                assert re.search(r"^Seccomp:\t2$", f.read(), re.M)
        client.close()


def test_the_end_of_all_while_somebody_asks():
    with Metered(workers=1) as b, b.connect() as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\n")
        b.proc.send_signal(signal.SIGTERM)
        b.ends()
