# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Behind the proxies that terminate TLS, each with its example from etc/.

Only addresses, ports, certificates and limits of the examples are changed.
"""

import contextlib
import csv
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from beacon import Beacon, limit, wait_for
from client import Client, login, request
from peers import PythonPeer
from test_interop import SIZES, across
from udp import command

ETC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "etc")
NAME = "beacon.example.org"
SOURCE = "127.0.0.77"       # where clients come from
PROXYS_TIMEOUT = 10         # seconds, where the examples say 120


def certificate(directory, name):
    """Makes a key and a certificate that it signs itself."""
    key = os.path.join(directory, "key.pem")
    cert = os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout",
        key, "-out", cert], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return key, cert


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Proxy:
    """with Nginx(beacon) as proxy: ...

    host: where it listens; source: where its clients come from; enter: what to
    put before its command.
    """

    def __init__(self, beacon, timeout=120, name=NAME, host="127.0.0.1",
            source=SOURCE, enter=()):
        self.beacon = beacon
        self.host = host
        self.source = source
        self.enter = list(enter)
        self.upstream = "%s:%d" % (getattr(beacon, "host", "127.0.0.1"),
            beacon.port)
        self.timeout = timeout
        self.name = name
        self.proc = None
        self.directory = tempfile.mkdtemp(prefix="proxy-")
        os.chmod(self.directory, 0o755)
        self.key, self.cert = certificate(self.directory, name)
        self.tls = ssl.create_default_context(cafile=self.cert)

    def path(self, name):
        return os.path.join(self.directory, name)

    def example(self, name, change):
        """Writes the example, changed, and returns its path."""
        with open(os.path.join(ETC, name)) as f:
            text = f.read()
        for old, new in change.items():
            assert old in text, "%s: no longer says %r" % (name, old)
            text = text.replace(old, new)
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def __enter__(self):
        try:
            # Somebody else may take the port before the proxy does.
            for _ in range(5):
                self.port = free_port()
                self.launch()
                wait_for(lambda: self.answers() or
                    self.proc.poll() is not None, 20, "the proxy")
                if self.proc.poll() is None:
                    return self
            raise AssertionError("the proxy does not start: " + self.log())
        except BaseException:
            self.close()
            raise

    def launch(self):
        with open(self.path("log"), "w") as log:
            self.proc = subprocess.Popen(self.enter + self.command(),
                stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, cwd=self.directory,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "HOME": self.directory})

    def log(self):
        with open(self.path("log")) as f:
            return f.read()

    def __exit__(self, kind, *_):
        if kind is not None:
            print("--- log of %s\n%s---" % (self.command()[0], self.log()))
        self.close()

    def close(self):
        if self.proc is not None:
            self.proc.terminate()
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def answers(self):
        """With our certificate, so that it is not somebody else."""
        try:
            self.client().close()
        except (OSError, ssl.SSLError):
            return False
        return True

    def client(self, source=None):
        client = Client(self.port, source=source or self.source,
            host=self.host)
        client.sock = self.tls.wrap_socket(client.sock,
            server_hostname=self.name)
        return client

    def ask(self, source=None, **change):
        with self.client(source) as client:
            client.send(request(host="%s:%d" % (NAME, self.port), **change))
            return client.answer()

    def peer(self, node, **options):
        """Logs in with python3-websockets."""
        return PythonPeer(self.beacon, node,
            where="wss://%s:%d/v1/compat" % (NAME, self.port),
            host=self.host, port=self.port, local_addr=(self.source, 0),
            ssl=self.tls, server_hostname=NAME, **options)


class Nginx(Proxy):
    def command(self):
        conf = self.example("nginx.conf.example", {
            "131072": "1024",
            "65536": "256",
            "http {": "http {\n" + "".join("%s %s;\n" %
                (kind + "_temp_path", self.path(kind)) for kind in
                ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) +
                "access_log off;",
            "127.0.0.1:8443": self.upstream,
            "listen 443 ssl": "listen %s:%d ssl" % (self.host, self.port),
            "/etc/ssl/beacon.example.org.crt": self.cert,
            "/etc/ssl/private/beacon.example.org.key": self.key,
            "120s": "%ds" % self.timeout})
        return ["nginx", "-e", "stderr", "-c", conf, "-g",
            "daemon off; pid %s;" % self.path("pid")]


class Caddy(Proxy):
    def command(self):
        conf = self.example("Caddyfile.example", {
            "\nbeacon.example.org {": "{\n\tadmin off\n"
                "\tauto_https disable_redirects\n}\n"
                "https://%s:%d {\n\tbind %s\n\ttls %s %s" %
                (self.name, self.port, self.host, self.cert, self.key),
            "reverse_proxy 127.0.0.1:8443": "reverse_proxy " +
                self.upstream})
        return ["caddy", "run", "--adapter", "caddyfile", "--config", conf]


class Haproxy(Proxy):
    def command(self):
        with open(self.path("both.pem"), "w") as f:
            for path in (self.cert, self.key):
                with open(path) as part:
                    f.write(part.read())
        conf = self.example("haproxy.cfg.example", {
            "maxconn 60000": "maxconn 100",
            "/run/haproxy/admin.sock": self.path("stats"),
            "127.0.0.1:8443": self.upstream,
            "bind :443": "bind %s:%d" % (self.host, self.port),
            "/etc/haproxy/beacon.example.org.pem": self.path("both.pem"),
            "120s": "%ds" % self.timeout})
        return ["haproxy", "-db", "-f", conf]

    def server(self):
        """What it thinks of beacond: the row of "show stat"."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path("stats"))
            s.sendall(b"show stat\n")
            text = s.makefile().read()
        return next(row for row in csv.DictReader(text[2:].splitlines())
            if row["svname"] == "beacond")


@contextlib.contextmanager
def fronted(conf="", kinds=(Nginx, Caddy, Haproxy), **how):
    """A beacon, and one proxy of each kind before it."""
    with contextlib.ExitStack() as stack:
        b = stack.enter_context(Beacon(conf))
        yield b, [stack.enter_context(kind(b, **how)) for kind in kinds]


@limit(120)
def test_packets_of_all_sizes_pass():
    with fronted() as (b, proxies):
        with PythonPeer(b, 1) as direct:
            for proxy in proxies:
                with proxy.peer(2) as peer:
                    assert peer.protocol == "pilot.v1"
                    across(b, direct, peer, SIZES, "whole")
                    across(b, direct, peer, SIZES[-3:], "fragments")


def test_liveness_probe_gets_426():
    with fronted() as (b, proxies):
        for proxy in proxies:
            got = proxy.ask(upgrade=False)
            assert got.status == 426, (proxy, got.status, got.body)


def test_other_paths_end_at_the_proxy():
    with fronted() as (b, proxies):
        for proxy in proxies:
            for path in ("/", "/health", "/v1/compatible"):
                got = proxy.ask(path=path, upgrade=False)
                assert got.status == 404, (proxy, path, got.status)


def test_discover_tells_the_address_that_the_proxy_saw():
    # This client is of this machine, but none of the proxies.
    with fronted("trusted proxy 127.0.0.1") as (b, proxies):
        for proxy in proxies:
            # What the client says of itself is not believed.
            for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}):
                with proxy.peer(1, extra_headers=headers) as peer:
                    for kind in (1, 8):
                        peer.send(struct.pack(">BI", kind, 1))
                        got = peer.recv_packet()
                        assert got == command(2, SOURCE, 0), (proxy, got)


def test_origin_is_judged_by_the_name_that_the_client_used():
    with fronted() as (b, proxies):
        for proxy in proxies:
            own = "https://%s:%d" % (NAME, proxy.port)
            assert proxy.ask(Origin=own).status == 101, proxy
            for other in ("https://evil.example", "https://" + NAME,
                    "https://127.0.0.1:%d" % b.port):
                got = proxy.ask(Origin=other)
                assert got.status == 403, (proxy, other, got.status)


def test_503_at_capacity_passes():
    with fronted("max peers 1") as (b, proxies):
        with PythonPeer(b, 1):
            for proxy in proxies:
                got = proxy.ask()
                assert got.status == 503, (proxy, got.status)
                assert got.body == b"wss: at capacity", got.body
                assert proxy.ask(upgrade=False).status == 426, proxy
        b.wait_peers(0)
        for proxy in proxies:
            with proxy.peer(2):
                pass
            b.wait_peers(0)


def test_pings_keep_idle_peers_past_the_proxys_timeout():
    with fronted("ping interval 1", timeout=PROXYS_TIMEOUT) as (b, proxies), \
            contextlib.ExitStack() as stack:
        peers = [stack.enter_context(proxy.peer(i + 1))
            for i, proxy in enumerate(proxies)]
        time.sleep(2 * PROXYS_TIMEOUT)
        for peer in peers:
            across(b, peer, peers[0], [100], "whole")
            assert peer.events.empty()


def test_without_pings_the_proxys_timeout_strikes():
    """The test before this one would notice if pings did not help."""
    with fronted(kinds=(Nginx, Haproxy), timeout=1) as (b, proxies):
        for proxy in proxies:
            with proxy.peer(1) as peer:
                got = peer.events.get(timeout=20)
                assert got["code"] == 1006, got
            b.wait_peers(0)


def test_replaced_passes():
    with fronted() as (b, proxies):
        for proxy in proxies:
            with proxy.peer(1) as old, proxy.peer(1) as new:
                got = old.events.get(timeout=20)
                assert (got["code"], got["reason"]) == (1000, "replaced"), \
                    (proxy, got)
                across(b, new, new, [10], "whole")
            b.wait_peers(0)


def test_other_close_codes_pass():
    with fronted() as (b, proxies):
        for proxy in proxies:
            with proxy.client() as client:
                client.upgrade(host="%s:%d" % (NAME, proxy.port))
                client.send_text(client.reply(1, client.challenge(), 2))
                client.expect_close(1008, "auth failed")
        with proxies[0].peer(1) as one, proxies[1].peer(2) as two, \
                proxies[2].peer(3) as three:
            b.stop()
            for peer in (one, two, three):
                got = peer.events.get(timeout=20)
                assert (got["code"], got["reason"]) == (1001,
                    "beacon shutting down"), got


def test_end_of_a_peer_is_seen_through_the_proxy():
    with fronted() as (b, proxies):
        for proxy in proxies:
            with proxy.peer(1) as peer:
                assert peer.goodbye() == 1000
            b.wait_peers(0)
            with proxy.peer(1) as peer:
                peer.loop.call_soon_threadsafe(peer.ws.transport.abort)
                b.wait_peers(0)


def test_haproxy_sees_whether_beacond_is_up():
    with fronted(kinds=(Haproxy,)) as (b, (proxy,)):
        def state():
            row = proxy.server()
            return row["status"].split()[0], row["check_status"]
        wait_for(lambda: state() == ("UP", "L7OK"), what="UP")
        assert proxy.server()["check_code"] == "200"
        b.stop()
        wait_for(lambda: state()[0] == "DOWN", 15, "DOWN")
        assert proxy.ask(upgrade=False).status == 503


def test_haproxy_sends_nobody_before_the_first_peer_is_closed():
    """It looks each 2 s, and believes the third look."""
    with fronted("drain grace 9", kinds=(Haproxy,)) as (b, (proxy,)):
        def state():
            return proxy.server()["status"].split()[0]
        wait_for(lambda: proxy.server()["check_status"] == "L7OK", what="UP")
        with login(b, 1) as direct:
            b.ctl("drain", "-t", "1", text=True)
            wait_for(lambda: state() == "DOWN", 9, "DOWN")
            direct.in_step()
            direct.expect_close(1001)
        b.note_children()
        b.ends(10)
