# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A WebSocket client that can send anything, also what no library would."""

import base64
import json
import os
import socket
import struct
import time

import keys

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="    # the example of RFC 6455
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
NO_MASK = bytes(4)
BOUND = 20.0        # seconds to wait for anything


class Ended(Exception):
    """The other end closed the TCP connection."""


def xor(data, mask):
    mask = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "little") ^
        int.from_bytes(mask, "little")).to_bytes(len(data), "little")


def header(opcode, length, fin=True, rsv=0, mask=b""):
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask is not None else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack(">BH", bit | 126, length)
    else:
        head += struct.pack(">BQ", bit | 127, length)
    return head + (mask or b"")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b""):
    """A client's frame; mask None: unmasked, which is forbidden."""
    if mask == b"":
        mask = os.urandom(4)
    head = header(opcode, len(payload), fin, rsv, mask)
    if mask is None or mask == NO_MASK:
        return head + payload
    return head + xor(payload, mask)


def relay(sender, dest, payload):
    return struct.pack(">BII", 5, sender, dest) + payload


def deliver(sender, payload):
    return struct.pack(">BI", 6, sender) + payload


def request(path="/v1/compat", method="GET", version="HTTP/1.1",
        host="beacon.example", extra=(), upgrade=True, **change):
    """An upgrade request.

    change: header name with _ for - to another value, or None to leave it
    out.
    """
    fields = {}
    if upgrade:
        fields = {"Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
    fields = {"Host": host, **fields}
    fields.update((k.replace("_", "-"), v) for k, v in change.items())
    lines = ["%s %s %s" % (method, path, version)]
    lines += ["%s: %s" % kv for kv in fields.items() if kv[1] is not None]
    lines += list(extra)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Answer:
    """Of an HTTP request."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, *_ = lines[0].split(" ", 2)
        self.status = int(status)
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.body = body

    def all(self, name):
        return [v for k, v in self.fields if k.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, "%s more than once" % name
        return values[0] if values else None


class Client:
    """One connection.  Nothing is done behind the caller's back, except that
    recv_packet() answers pings."""

    def __init__(self, port, source=None, rcvbuf=None, host="127.0.0.1",
            mss=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if mss:         # small ones keep the other side's kernel from buffering
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(BOUND)
        self.sock.connect((host, port))
        self.buffer = bytearray()
        self.node = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # Bytes

    def send(self, data):
        self.sock.sendall(data)

    def send_bytewise(self, data):
        for i in range(len(data)):
            self.sock.send(data[i:i + 1])

    def more(self, bound=BOUND):
        self.sock.settimeout(max(bound, 0.001))
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            raise Ended("reset") from None
        finally:
            self.sock.settimeout(BOUND)
        if not data:
            raise Ended("end of file")
        self.buffer += data

    def need(self, count, bound=BOUND):
        end = time.monotonic() + bound
        while len(self.buffer) < count:
            self.more(end - time.monotonic())

    def take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def expect_end(self, bound=BOUND):
        """The connection is closed; nothing but pings comes before that."""
        end = time.monotonic() + bound
        try:
            while True:
                self.more(end - time.monotonic())
        except Ended:
            pass
        except TimeoutError:
            raise AssertionError("still open after %g s" % bound) from None
        while self.buffer[:2] == bytes([0x80 | PING, 0]):
            self.take(2)
        assert not self.buffer, "then came %r" % bytes(self.buffer[:64])

    # HTTP

    def answer(self, method="GET", bound=BOUND):
        end = time.monotonic() + bound
        while b"\r\n\r\n" not in self.buffer:
            self.more(end - time.monotonic())
        head = self.take(self.buffer.index(b"\r\n\r\n") + 4)[:-4]
        got = Answer(head, b"")
        length = int(got.get("Content-Length") or 0)
        if method != "HEAD" and got.status != 101:
            self.need(length, bound)
            got.body = self.take(length)
        return got

    def upgrade(self, **change):
        self.send(request(**change))
        got = self.answer()
        assert got.status == 101, "upgrade: %d %r" % (got.status, got.body)
        return got

    # Frames

    def recv_frame(self, bound=BOUND):
        """Returns (fin, opcode, payload)."""
        end = time.monotonic() + bound
        self.need(2, bound)
        first, length = self.buffer[:2]
        assert first & 0x70 == 0, "reserved bits"
        assert length & 0x80 == 0, "masked by the server"
        head = 2
        if length == 126:
            head = 4
            self.need(head, end - time.monotonic())
            length, = struct.unpack_from(">H", self.buffer, 2)
            assert length > 125, "length not in its shortest form"
        elif length == 127:
            head = 10
            self.need(head, end - time.monotonic())
            length, = struct.unpack_from(">Q", self.buffer, 2)
            assert length > 65535, "length not in its shortest form"
        self.need(head + length, end - time.monotonic())
        return bool(first & 0x80), first & 15, self.take(head + length)[head:]

    def next(self, bound=BOUND, ping=False):
        """Opcode and payload of the next frame that is not a ping.

        The server pings whenever it likes, also right after the login.
        """
        end = time.monotonic() + bound
        while True:
            fin, opcode, data = self.recv_frame(end - time.monotonic())
            assert fin, "fragmented"
            if opcode != PING or ping:
                return opcode, data

    def expect(self, opcode, payload=None, bound=BOUND):
        """The next frame, pings apart (which are left unanswered)."""
        got, data = self.next(bound, opcode == PING)
        assert got == opcode, "opcode %d, not %d: %r" % (got, opcode,
            data[:64])
        assert payload is None or data == payload, "%r, not %r" % (
            data[:64], payload[:64])
        return data

    def expect_close(self, code, reason=None, bound=BOUND):
        """A close frame, what came before it aside; then the end."""
        end = time.monotonic() + bound
        opcode = None
        while opcode != CLOSE:
            try:
                opcode, data = self.next(end - time.monotonic())
            except Ended:
                raise AssertionError("ended without a close frame") from None
            except TimeoutError:
                raise AssertionError("no close within %g s" % bound) from None
        got = struct.unpack(">H", data[:2])[0] if data else None
        assert got == code, "close %s %r, not %s" % (got, data[2:], code)
        assert reason is None or data[2:] == reason.encode(), data[2:]
        try:
            self.send(frame(CLOSE, data))
        except OSError:
            pass
        self.expect_end(end - time.monotonic())

    # A node

    def challenge(self):
        got = json.loads(self.expect(TEXT))
        assert got["type"] == "auth_challenge", got
        return got

    def reply(self, node, challenge, signer=None, legacy=False):
        """The text of a right reply, or of one signed by another node."""
        nonce = challenge["nonce"].encode()
        if legacy:
            signed = b"compat_auth:%d:%s" % (node, nonce)
        else:
            signed = b"compat_auth:%d:%d:%s" % (node, challenge["ts"], nonce)
        signer = node if signer is None else signer
        public = keys.pair(signer)[0]
        sig = keys.sign(signer, signed)
        return json.dumps({"type": "auth_reply", "node_id": node,
            "public_key": base64.b64encode(public).decode(),
            "sig": base64.b64encode(sig).decode()})

    def send_text(self, text):
        self.send(frame(TEXT, text.encode()))

    def send_reply(self, node, **how):
        self.upgrade()
        self.send_text(self.reply(node, self.challenge(), **how))

    def login(self, node, **how):
        self.send_reply(node, **how)
        got = json.loads(self.expect(TEXT))
        assert got == {"type": "auth_ok"}, got
        self.node = node
        return self

    def send_packet(self, packet):
        self.send(frame(BINARY, packet))

    def send_to(self, dest, payload):
        self.send_packet(relay(self.node, dest, payload))

    def recv_packet(self, bound=BOUND):
        """The next binary message; answers pings meanwhile."""
        end = time.monotonic() + bound
        while True:
            opcode, data = self.next(end - time.monotonic(), True)
            if opcode == PING:
                self.send(frame(PONG, data))
                continue
            assert opcode == BINARY, "opcode %d: %r" % (opcode, data[:64])
            return data

    def expect_from(self, sender, payload, bound=BOUND):
        got = self.recv_packet(bound)
        want = deliver(sender, payload)
        assert got == want, "%r..., not %r..." % (got[:32], want[:32])

    def in_step(self, payload=b"in step"):
        """All that was sent before has been dealt with: a ping came back."""
        self.send(frame(PING, payload))
        self.expect(PONG, payload)


def login(beacon, node, **how):
    return Client(beacon.port, **how).login(node)


def pair_on_workers(beacon, different, connect=login, first=1, most=31):
    """Two peers on different workers (or on the same), and their nodes.

    Connects one node after the other until two of them are.  Returns
    (client, client, others that keep their places).
    """
    got = []
    for node in range(first, first + most):
        client = connect(beacon, node)
        worker = beacon.worker_of(node)
        for other, where in got:
            if (where != worker) == different:
                rest = [c for c, _ in got if c is not other]
                return other, client, rest
        got.append((client, worker))
    raise AssertionError("%d peers, and all on %s" % (most,
        "one worker" if different else "workers of their own"))
