# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""beaconctl probe, through a server that answers the upgrade by a script."""

import base64
import hashlib
import os
import socket
import subprocess
import threading
import time

from beacon import BUILD, Beacon, wait_for

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STATUS = b"HTTP/1.1 101 Switching Protocols"
UPGRADE = b"Upgrade: websocket"
CONNECTION = b"Connection: Upgrade"
ACCEPT = b"Sec-WebSocket-Accept: %s"
RIGHT = [STATUS, UPGRADE, CONNECTION, ACCEPT]


def head_of(lines):
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


class Script:
    """A server in front of a beacon: only the answer's head is its own.

    with Script(beacon.port, head) as s: the head says %s for the accept key;
    in pieces of `size` bytes.
    """

    def __init__(self, port, head, size=1 << 16):
        self.port, self.head, self.size = port, head, size
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = [self.listener]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return "ws://127.0.0.1:%d" % self.listener.getsockname()[1]

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()
        self.thread.join(20)

    def serve(self):
        try:
            near = self.keep(self.listener.accept()[0])
            near.settimeout(20)
            request = self.read_head(near)
            far = self.keep(socket.create_connection(("127.0.0.1",
                self.port)))
            far.sendall(request)
            key = next(line.split(b": ")[1] for line in
                request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
            answer = self.head.replace(b"%s", base64.b64encode(
                hashlib.sha1(key + GUID).digest()))
            self.read_head(far)
            for i in range(0, len(answer), self.size):
                near.sendall(answer[i:i + self.size])
            threading.Thread(target=self.pump, args=(near, far),
                daemon=True).start()
            self.pump(far, near)
        except OSError:
            pass        # the probe has gone

    def keep(self, s):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(s)
        return s

    @staticmethod
    def read_head(s):
        """All up to the empty line; byte by byte, to take no more."""
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            byte = s.recv(1)
            if not byte:
                raise OSError("end of file")
            got += byte
        return got

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Probe:
    """probe(head) runs beaconctl probe against that answer."""

    def __init__(self, b):
        self.b = b
        self.key = os.path.join(b.directory, "node.key")
        b.write_keys(b.ctl("keygen", "-n", 1, self.key, text=True))
        b.ctl("reload", text=True)
        wait_for(lambda: b.ctl("show", "summary")["keys"] == 1)

    def __call__(self, head, ok=0, **how):
        with Script(self.b.port, head, **how) as url:
            return self.b.ctl("probe", "-c", 1, "-w", 3, "-i", self.key,
                "-n", 1, url, text=True, ok=ok)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = head_of([b"HTTP/1.1 103 Early Hints", b"Link: </a>; rel=preload",
    b"Upgrade: h2c", b"Sec-WebSocket-Accept: x"])

LEGAL = {
    "the least": head_of(RIGHT),
    "100 first": CONTINUE + head_of(RIGHT),
    "103 first": HINTS + head_of(RIGHT),
    "many first": (CONTINUE + HINTS) * 300 + head_of(RIGHT),
    "another 1xx first": b"HTTP/1.1 199 \r\n\r\n" + head_of(RIGHT),
    "two fields Connection": head_of([STATUS, b"Connection: keep-alive",
        UPGRADE, CONNECTION, ACCEPT]),
    "a list": head_of([STATUS, UPGRADE, ACCEPT,
        b"Connection: keep-alive,\tUPGRADE , "]),
    "any case, any order": head_of([STATUS, b"SEC-WEBSOCKET-ACCEPT:%s",
        b"connection:uPGRADE", b"uPGRADE: WebSocket"]),
    "blanks": head_of([STATUS, b"Upgrade:  websocket\t", CONNECTION,
        ACCEPT + b" "]),
    "no reason": head_of([b"HTTP/1.1 101 "] + RIGHT[1:]),
    "higher minor version": head_of([b"HTTP/1.2 101 Yes"] + RIGHT[1:]),
    "folded": head_of([STATUS, UPGRADE, b"Connection: x,\r\n Upgrade",
        ACCEPT]),
    "subprotocol": head_of(RIGHT + [b"Sec-WebSocket-Protocol: pilot.v1"]),
    "long": head_of([STATUS, b"X: " + b"y" * 30000] + RIGHT[1:]),
    "long list": head_of([STATUS, UPGRADE, ACCEPT,
        b"Connection: " + b"x, " * 100 + b"Upgrade"]),
    "other fields": head_of(RIGHT + [b"Content-Length: 9",
        b"Set-Cookie: a=b", b"X-Latin: \xe9", b"Server:"]),
}

ILLEGAL = {
    "no Upgrade": head_of([STATUS, CONNECTION, ACCEPT]),
    "another Upgrade": head_of(RIGHT + [b"Upgrade: h2c"]),
    "no Connection": head_of([STATUS, UPGRADE, ACCEPT]),
    "Connection: no-upgrade": head_of([STATUS, UPGRADE, ACCEPT,
        b"Connection: no-upgrade"]),
    "wrong accept": head_of([STATUS, UPGRADE, CONNECTION,
        b"Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="]),
    "accept only in a 103": HINTS.replace(b"x\r\n", b"%s\r\n") +
        head_of([STATUS, UPGRADE, CONNECTION]),
    "two accepts": head_of(RIGHT + [ACCEPT]),
    "an extension": head_of(RIGHT + [
        b"Sec-WebSocket-Extensions: permessage-deflate"]),
    "another subprotocol": head_of(RIGHT + [
        b"Sec-WebSocket-Protocol: chat"]),
    "HTTP/1.0": head_of([b"HTTP/1.0 101 Yes"] + RIGHT[1:]),
    "200": head_of([b"HTTP/1.1 200 OK"] + RIGHT[1:]),
    "503 after 100": CONTINUE + head_of([b"HTTP/1.1 503 Busy"]),
}


def test_probe_takes_every_legal_answer():
    with Beacon(nodes=[]) as b:
        probe = Probe(b)
        for name, head in LEGAL.items():
            out = probe(head)
            assert " 0.0% lost" in out, (name, out)


def test_probe_takes_an_answer_in_pieces():
    with Beacon(nodes=[]) as b:
        probe = Probe(b)
        for size in (1, 7):
            assert " 0.0% lost" in probe(LEGAL["103 first"], size=size)


def test_probe_refuses_answers_that_are_none():
    with Beacon(nodes=[]) as b:
        probe = Probe(b)
        for name, head in ILLEGAL.items():
            out = probe(head, ok=2)
            assert out == "", (name, out)


def test_probe_waits_for_the_answer_after_an_interim_one():
    with Beacon(nodes=[]) as b:
        start = time.monotonic()
        Probe(b)(CONTINUE + HINTS, ok=2)
        assert time.monotonic() - start > 2.5


def test_a_result_that_cannot_be_written_is_unknown(tmp_path):
    ctl, key = os.path.join(BUILD, "beaconctl"), tmp_path / "key"
    subprocess.run([ctl, "keygen", "-n", "1", key], check=True,
        stdout=subprocess.DEVNULL)
    for words in ["probe", "-W", "loss=0"], ["-j", "probe"]:
        with open("/dev/full", "w") as full:
            run = subprocess.run([ctl, *words, "-i", key, "-n", "1",
                "ws://127.0.0.1:1"], stdout=full, stderr=subprocess.PIPE)
        assert run.returncode == 3, (words, run)
