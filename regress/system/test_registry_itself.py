# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The registry that other tests use is one (doc/protocol.md 6)."""

import base64
import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import pytest

import keys
import registry
from beacon import wait_for
from registry import Registry

MAGIC = b"PILT\1"


class Link:
    """A client of a registry."""

    def __init__(self, to, magic=MAGIC, tls=None):
        if to.path is not None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(to.path)
        else:
            self.sock = socket.create_connection(("127.0.0.1", to.port))
        if tls:
            self.sock = tls.wrap_socket(self.sock)
        self.sock.settimeout(20)
        self.sock.sendall(magic)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(struct.pack(">I", len(data)) + data)

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def recv(self):
        return self.take(struct.unpack(">I", self.take(4))[0])

    def ask(self, node):
        self.send(b"\2" + struct.pack(">I", node))

    def lookup(self, node):
        self.ask(node)
        return self.recv()

    def json(self, **what):
        self.send(json.dumps(what).encode())
        return json.loads(self.recv())

    def ends(self):
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while self.sock.recv(1 << 20):
                pass


def not_found(node):
    text = b"node %d: not found" % node
    return b"\xff" + struct.pack(">H", len(text)) + text


def test_a_node_is_found_in_either_framing_until_it_is_removed():
    with Registry() as r, Link(r) as one, Link(r, b"") as two:
        r.register(7)
        got = one.lookup(7)
        assert got[:5] == b"\x82" + struct.pack(">I", 7)
        assert got[10:17] == struct.pack(">HHHB", 2, 443, 9000, 32)
        assert got[17:49] == keys.pair(7)[0]
        got = two.json(type="lookup", node_id=7)
        assert base64.b64decode(got["public_key"]) == keys.pair(7)[0]
        r.register(7, key_of=8)
        assert one.lookup(7)[17:49] == keys.pair(8)[0]
        r.remove(7)
        assert one.lookup(7) == not_found(7)
        assert two.json(type="lookup", node_id="7") == {"type": "error",
            "error": "node 0: not found"}
        one.send(b"\1")
        assert one.recv() == b"\x81"
        one.send(b"\x55")
        assert one.recv()[0] == 0xff
        one.send(b'\0{"type":"lookup","node_id":9}')
        assert json.loads(one.recv()[1:])["error"] == "node 9: not found"
        assert [x.node for x in r.lookups()] == [7, 7, 7, 7, 0, 9]


def test_an_old_one_knows_no_binary_framing():
    with Registry(old=True) as r:
        with Link(r) as link:
            link.ends()
        with Link(r, b"") as link:
            assert link.json(type="lookup", node_id=1)["type"] == "error"
    with Registry() as r, Link(r, b"PILT\2") as link:
        assert link.recv()[0] == 0xff
        link.ends()


def test_its_limit_is_the_average_since_the_connection_began(monkeypatch):
    monkeypatch.setattr(registry, "GRACE", 0.3)

    def rate(per_second):
        """Offers so many in a second; at what rate it serves all of them."""
        with Registry() as r, Link(r) as link:
            begin = time.monotonic()
            for i in range(per_second):
                link.ask(i)
                time.sleep(max(0, begin + (i + 1) / per_second -
                    time.monotonic()))
            for _ in range(per_second):
                link.recv()
            return per_second / (time.monotonic() - begin)
    assert rate(80) <= 80
    assert rate(250) < 230
    with pytest.raises((EOFError, OSError)):
        rate(1000)


@pytest.mark.parametrize("trick", sorted(registry.TRICKS))
def test_it_plays_tricks(trick):
    with Registry() as r, Link(r) as link:
        r.register(1)
        good = link.lookup(1)
        r.play(trick, 1)
        link.ask(1)
        if trick in ("close", "mid-frame"):
            link.ends()
            return
        bad = link.sock.recv(1 << 16)
        assert bad and bad != registry.frame(good), bad
        r.drop()
        link.ends()
        with Link(r) as again:
            assert again.lookup(1) == good


def test_it_is_slow_hangs_or_fails():
    with Registry(delay=0.3) as r, Link(r) as link:
        r.register(1)
        begin = time.monotonic()
        link.ask(1)
        link.ask(2)
        assert link.recv()[0] == 0x82 and link.recv() == not_found(2)
        assert 0.3 <= time.monotonic() - begin < 0.6
        r.delay = 0
        r.hang()
        link.ask(1)
        link.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv()
        link.sock.settimeout(20)
        r.go_on()
        assert link.recv()[0] == 0x82
        r.play("rate limited", 1)
        assert link.lookup(1) == b"\xff\0\x0crate limited"
        r.down()
        with pytest.raises(OSError):
            Link(r)
        r.up()
        with Link(r) as again:
            assert again.lookup(1)[0] == 0x82
        assert len(r.connections) == 2


def test_a_strict_one_tells_of_public_nodes_only():
    with Registry(strict=True) as r, Link(r) as link, \
            tempfile.TemporaryDirectory() as at:
        r.register(1)
        r.register(2, public=False)
        assert link.lookup(1)[0] == 0x82
        assert link.lookup(2) == not_found(2)
        r.snapshot(at + "/snapshot")
        with open(at + "/snapshot") as f:
            assert set(json.load(f)["nodes"]) == {"1", "2"}


def test_beacons_sign_on_with_the_token():
    me = dict(type="beacon_register", beacon_id=5, addr="a.example:9001")
    with Registry(token="secret") as r, Link(r, b"") as link:
        assert link.json(**me)["error"] == "invalid admin token"
        assert link.json(type="beacon_list")["beacons"] == []
        got = link.json(admin_token="secret", **me)
        assert got["type"] == "beacon_register_ok"
        assert link.json(type="beacon_list")["beacons"] == [
            {"id": 5, "addr": "a.example:9001"}]
        r.token = ""
        assert link.json(admin_token="", **me)["error"] == "request failed"


def test_it_listens_on_a_unix_socket_and_behind_tls():
    with tempfile.TemporaryDirectory() as at:
        with Registry(path=at + "/socket") as r, Link(r) as link:
            assert link.lookup(1) == not_found(1)
        tls, pin = registry.certificate(at)
        client = ssl.create_default_context(cafile=tls[0])
        client.check_hostname = False
        with Registry(tls=tls) as r, Link(r, tls=client) as link:
            assert link.lookup(1) == not_found(1)
            assert len(pin) == 64


def test_it_runs_by_itself_and_ends_with_what_runs_beside_it():
    with tempfile.TemporaryDirectory() as at:
        with open(at + "/keys", "w") as f:
            f.write(keys.line(1))
        with subprocess.Popen([sys.executable, registry.__file__, "-u",
                at + "/socket", at + "/keys", "sh", "-c", "read x; exit 3"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            assert p.stdout.readline() == b"registry: ready\n"
            with Link(Registry(path=at + "/socket")) as link:
                wait_for(lambda: link.lookup(1)[0] == 0x82)
                with open(at + "/keys", "a") as f:
                    f.write(keys.line(2))
                wait_for(lambda: link.lookup(2)[0] == 0x82)
            assert p.stdout.readline() == b"0: lookup 1\n"
            p.stdin.close()
            assert p.wait(20) == 3
