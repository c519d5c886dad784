# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""beaconctl probe as a monitor calls it: TLS, thresholds, two nodes, two beacons.

The certificates are of an authority of our own, which SSL_CERT_FILE names.
"""

import contextlib
import json
import os
import re
import subprocess

from beacon import Beacon, limit, wait_for
from netns import HostedBeacon, Network, in_own_network
from test_probe import head_of, RIGHT, Script
from test_proxies import Caddy, Haproxy, Nginx

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
    "-nodes"]


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.cert, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", *CURVE, "-days", "100", "-subj", "/CN=ours",
            "-keyout", self.key, "-out", self.cert)

    def path(self, name):
        return os.path.join(self.directory, name)

    def sign(self, proxy, days):
        """For the name of that proxy, in the place of what it has."""
        openssl("req", *CURVE, "-subj", "/CN=x", "-addext",
            "subjectAltName=DNS:" + proxy.name, "-keyout", proxy.key, "-out",
            self.path("request"))
        openssl("x509", "-req", "-in", self.path("request"), "-CA", self.cert,
            "-CAkey", self.key, "-days", str(days), "-copy_extensions",
            "copy", "-out", proxy.cert)


def signed(kind, days):
    """That kind of proxy, for "localhost"; days None: signed by itself."""
    class Signed(kind):
        def __init__(self, b, authority, name="localhost"):
            super().__init__(b, name=name)
            if days is not None:
                authority.sign(self, days)
                self.tls.load_verify_locations(authority.cert)
            self.tls.check_hostname = False
            if days is not None and days < 0:
                self.tls.verify_mode = 0

        def url(self, host="localhost"):
            return "wss://%s:%d" % (host, self.port)
    return Signed


class Monitored(Beacon):
    """Nodes 1 and 2 have key files; b.probe() probes."""

    def __enter__(self):
        b = super().__enter__()
        self.authority = Authority(self.directory)
        self.make_keys()
        return b

    def make_keys(self):
        lines = [self.ctl("keygen", "-n", node, self.key(node), text=True)
            for node in (1, 2)]
        self.write_keys("".join(lines))
        self.ctl("reload", text=True)

    def key(self, node):
        return os.path.join(self.directory, "key%d" % node)

    def environment(self):
        return {**super().environment(), "SSL_CERT_FILE":
            os.path.join(self.directory, "ca.pem")}

    def url(self):
        return "ws://127.0.0.1:%d" % self.port

    def probe(self, *args, ok=0, before=(), node=1):
        """Standard output and standard error."""
        run = subprocess.run([os.path.join(self.programs, "beaconctl"),
            *before, "probe", "-c", "1", "-i", self.key(node), "-n",
            str(node), *map(str, args)], env=self.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=50)
        assert run.returncode == ok, run.stdout + run.stderr
        return run.stdout, run.stderr

    def to_two(self):
        return ["-I", self.key(2), "-N", 2]


@contextlib.contextmanager
def fronted(*kinds):
    with contextlib.ExitStack() as stack:
        b = stack.enter_context(Monitored())
        yield b, [stack.enter_context(signed(kind, days)(b, b.authority))
            for kind, days in kinds]


def test_a_certificate_is_verified_and_has_days_left():
    with fronted((Nginx, 30), (Haproxy, 40), (Caddy, 50)) as (b, proxies):
        for proxy, days in zip(proxies, (30, 40, 50)):
            out, _ = b.probe(proxy.url())
            assert "node 1 logged in at 127.0.0.1:%d" % proxy.port in out
            left = re.search(r"certificate: ([\d.]+) days left", out)
            assert days - 0.2 < float(left[1]) <= days, out
        # From the one proxy to the other, by name and by JSON.
        out, _ = b.probe(*b.to_two(), proxies[0].url(), proxies[2].url(),
            before=["-j"])
        said = json.loads(out)
        assert said["status"] == "ok" and "error" not in said
        assert [end["node"] for end in said["ends"]] == [1, 2]
        assert [end["url"] for end in said["ends"]] == [proxies[0].url(),
            proxies[2].url()]
        assert said["packets"]["received"] == 1
        assert 29.8 < said["certificate_days"] <= 30
        assert said["ends"][1]["certificate_expires"] > \
            said["ends"][0]["certificate_expires"] + 19 * 86400


def test_a_certificate_that_is_none_is_critical():
    with fronted((Nginx, -1), (Haproxy, None), (Nginx, 9)) as (b, proxies):
        expired, alone, good = proxies
        for url, why in (
                (expired.url(), "certificate has expired"),
                (alone.url(), "self-signed certificate"),
                (good.url("127.0.0.1"), "IP address mismatch"),
                (good.url("localhost.localdomain"), None)):
            out, errors = b.probe(url, ok=2)
            assert out == ""
            assert re.search("node 1: connect: the certificate is not "
                "accepted: " + why if why else "localhost.localdomain: ",
                errors), errors
            assert b.metric("connections", outcome="upgrade_ok") == 0
        b.probe(good.url())


def test_the_server_is_told_the_name():
    """By it nginx chooses the certificate; the other one has another name."""
    class Two(signed(Nginx, 9)):
        def example(self, name, change):
            path = super().example(name, change)
            with open(path) as f:
                text = f.read()
            server = text[text.index("\tserver {"):text.rindex("}")]
            first = server.replace(self.cert, self.other.cert).replace(
                self.key, self.other.key).replace(" ssl;",
                " ssl default_server;").replace("beacon.example.org",
                "other.example.org")
            with open(path, "w") as f:
                f.write(text.replace(server, first + server.replace(
                    "beacon.example.org", "localhost")))
            return path

    with Monitored() as b:
        other = signed(Haproxy, 9)(b, b.authority, "other.example.org")
        proxy = Two(b, b.authority)
        proxy.other = other
        with proxy:
            b.probe(proxy.url())
            _, errors = b.probe(proxy.url("127.0.0.1"), ok=2)
            assert "IP address mismatch" in errors
        other.close()


def test_thresholds_are_those_of_nagios():
    with fronted((Nginx, 30)) as (b, (proxy,)):
        for want, word, limits in (
                (0, "OK", ["-W", "time=5000,loss=0,days=20", "-C",
                    "time=6000,days=10"]),
                (1, "WARNING", ["-W", "days=40"]),
                (2, "CRITICAL", ["-W", "days=50", "-C", "days=40"]),
                (1, "WARNING", ["-W", "time=0"]),
                (2, "CRITICAL", ["-C", "time=0"])):
            out, errors = b.probe(*limits, proxy.url(), ok=want)
            assert out.startswith("PROBE %s: node 1 at localhost" % word)
            assert out.count("\n") == 1 and errors == ""
            data = out.split(" | ")[1].split()
            assert [d.split("=")[0] for d in data] == ["loss", "time", "days"]
        assert data[0] == "loss=0.0%;0;100;0;100" and ";;0" in data[1]
        assert re.fullmatch(r"days=29\.\d;0:;0:|days=30\.0;0:;0:", data[2])


def test_what_cannot_be_tried_is_unknown():
    with Monitored() as b:
        for args in (["-W", "time=x"], ["-W", "loss"], ["-W", "speed=1"],
                ["-W", "time=-1"], ["-C", "time=inf"], ["-I", "k"],
                ["-N", "3"], ["-N", "1", "-I", "k"], [b.url()]):
            b.probe(*args, b.url(), ok=3)
        os.unlink(b.key(1))
        out, _ = b.probe("-W", "loss=1", b.url(), ok=3)
        assert out.startswith("PROBE UNKNOWN: ") and b.key(1) in out


class Lossy(Script):
    """Loses one packet of the probe."""

    def __init__(self, port, number):
        super().__init__(port, head_of(RIGHT))
        self.left = number

    def pump(self, source, sink):
        if source is not self.sockets[1]:
            return super().pump(source, sink)
        while self.left > 0:
            frame = source.recv(1 << 16)
            self.left -= frame[0] & 15 == 2     # neither login nor pong
            if self.left > 0:
                sink.sendall(frame)
        super().pump(source, sink)


def test_loss_is_a_matter_of_limits():
    with Monitored() as b:
        for want, count, limits in ((1, 2, []), (0, 2, ["-W", "loss=50"]),
                (2, 2, ["-C", "loss=49"]), (2, 1, ["-W", "loss=100"])):
            with Lossy(b.port, count) as url:
                out, _ = b.probe("-c", count, "-w", 1, *limits, url, ok=want)
            assert "%d.0%% lost" % (100 / count) in out, out
        # A key that nobody knows: nothing is sent at all.
        b.ctl("keygen", "-n", 9, b.key(9), text=True)
        out, _ = b.probe("-W", "loss=50", b.url(), ok=2, node=9)
        assert out.startswith("PROBE CRITICAL: node 9: login: ")
        assert "|" not in out


def promtool_takes(text):
    run = subprocess.run(["promtool", "check", "metrics"], input=text,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0 and run.stdout == "", run.stdout


def values(path):
    with open(path) as f:
        text = f.read()
    promtool_takes(text)
    return {name: float(value) for name, value in
        re.findall(r"^pilot_beacon_probe_(\w+)\{.*\} (\S+)$", text, re.M)}, \
        text


def test_a_textfile_for_the_node_exporter():
    with fronted((Haproxy, 30)) as (b, (proxy,)):
        path = os.path.join(b.directory, "probe.prom")
        b.probe("-o", path, proxy.url())
        got, text = values(path)
        assert (got["status"], got["sent_packets"], got["received_packets"]) \
            == (0, 1, 1)
        assert 0 < got["average_time_seconds"] <= got["longest_time_seconds"]
        assert 0 < got["login_seconds"] < 10
        assert abs(got["certificate_left_seconds"] / 86400 - 30) < 0.1
        assert '{node="1",url="%s"} ' % proxy.url() in text
        assert oct(os.stat(path).st_mode)[-3:] == "644"
        first = os.stat(path).st_ino
        # From node to node, and a URL that has to be quoted.
        b.probe(*b.to_two(), "-o", path, b.url() + '/none?"\\', ok=2)
        got, text = values(path)
        assert got["status"] == 2 and "average_time_seconds" not in got
        assert 'none?\\"\\\\",to_node="2",to_url="ws://' in text
        # Replaced as a whole, and nothing is left beside it.
        assert os.stat(path).st_ino != first
        assert not [name for name in os.listdir(b.directory)
            if name.startswith("probe.prom.")]
        _, errors = b.probe("-o", b.directory + "/none/x", b.url(), ok=3)
        assert "none/x: No such file or directory" in errors


@limit(90)
@in_own_network
def test_through_two_beacons():
    network = Network(2, ["10.99.0.254"])
    with contextlib.ExitStack() as stack:
        beacons = [stack.enter_context(Hosted(network, i, peers=[
            network.address(3 - i)])) for i in (1, 2)]
        for b in beacons:
            b.ctl("reload", text=True)
        urls = ["ws://%s:%d" % (b.host, b.WS_PORT) for b in beacons]
        one = beacons[0]
        for name in ("key1", "key2"):
            os.link(one.directory + "/" + name,
                beacons[1].directory + "/" + name)
        beacons[1].write_keys(open(one.keys_path).read())
        beacons[1].ctl("reload", text=True)
        out, _ = one.probe(*one.to_two(), *urls)
        assert "node 1 at 10.99.0.1:8443 to node 2 at 10.99.0.2:8443" in out
        assert "1 packets sent, 1 received" in out and "one way" in out


class Hosted(Monitored, HostedBeacon):
    def make_keys(self):
        if self.number == 1:
            super().make_keys()
