#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A registry to try things with: what doc/protocol.md 6 says of one, and what
a broken one might do.

    with Registry() as r:
        r.register(1)
        ...

It runs in a thread; what a test calls takes effect at once.  By itself it
takes its nodes from a key file, again whenever that changes, and prints every
request.
"""

import argparse
import asyncio
import base64
import collections
import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

LONGEST = 64 << 20
HEARTBEAT, LOOKUP, HEARTBEAT_OK, LOOKUP_OK, JSON, ERROR = (0x01, 0x02, 0x81,
    0x82, 0x00, 0xff)
MAGIC, VERSION = b"PILT", b"\1"

# The average rule: nothing before that age, then a wait, then the end.
GRACE, POLITE, RUDE, WAIT = 5.0, 100, 500, 0.01
TOGETHER = 1000         # a second, all clients; the newest only
SILENCE = 300.0
BEACON_LAPSE = 60.0

# When (monotonic), which connection, what, of which node.
Request = collections.namedtuple("Request", "when connection kind node")


def frame(data):
    return struct.pack(">I", len(data)) + data


def binary(kind, body=b""):
    return frame(bytes([kind]) + body)


def short(data):
    """A length of one byte, then the data."""
    return bytes([len(data)]) + data


def found(node, key):
    """The body of a lookup's answer, with something in every part of it."""
    return (struct.pack(">IBIHHH", node, 0, 0, 2, 443, 9000) + short(key) +
        short(b"node.example") + b"\2" + short(b"one") + short(b"two") +
        struct.pack(">H", 9) + b"192.0.2.1" + short(b"ext"))


# What a broken registry answers a lookup with: bytes, and whether it ends the
# connection then.  In JSON, where nothing else is said, the same bytes.

def whole(registry, node, key):
    return binary(LOOKUP_OK, found(node, key or bytes(32)))


TRICKS = {
    "close": lambda *of: (b"", True),
    "mid-frame": lambda *of: (whole(*of)[:30], True),
    "garbage": lambda *of: (os.urandom(512), False),
    "empty": lambda *of: (frame(b""), False),
    # Its beginning, that is: the end of the connection comes before the rest.
    "64 MiB": lambda *of: (struct.pack(">IB", LONGEST, LOOKUP_OK) +
        bytes(65536), False),
    "4 GB": lambda *of: (b"\xff\xff\xff\xff" + whole(*of)[4:], False),
    "wrong id": lambda r, node, key: (whole(r, node ^ 1, key), False),
    "short key": lambda r, node, key: (whole(r, node, bytes(31)), False),
    "long key": lambda r, node, key: (whole(r, node, bytes(33)), False),
    "inner length": lambda *of: (binary(LOOKUP_OK,
        whole(*of)[5:20] + b"\xff" * 20), False),
    "cut": lambda *of: (binary(LOOKUP_OK, whole(*of)[5:40]), False),
    "twice": lambda *of: (whole(*of) * 2, False),
    "unknown type": lambda *of: (binary(0x77, b"?"), False),
}
ERRORS = ("request failed", "rate limited", "not found")


class Connection:
    """Reads requests and puts the answers in a queue that is written from."""

    def __init__(self, registry, reader, writer):
        self.registry = registry
        self.number = len(registry.connections)
        registry.connections.append(time.monotonic())
        self.reader = reader
        self.writer = writer
        self.since = time.monotonic()
        self.count = 0
        self.binary = False
        self.answers = asyncio.Queue()

    async def run(self):
        writing = asyncio.ensure_future(self.write())
        try:
            await self.read()
            self.say(b"", True)
            await writing
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, OSError,
                asyncio.CancelledError):
            pass
        finally:
            writing.cancel()
            self.writer.transport.abort()

    async def write(self):
        """Answers are late, or held, in the order of the requests."""
        with contextlib.suppress(OSError):
            while True:
                due, data, end = await self.answers.get()
                await asyncio.sleep(max(0, due - time.monotonic()))
                await self.registry.awake.wait()
                self.writer.write(data)
                await self.writer.drain()
                if end:
                    break
        # What was written is to arrive, what comes now is not to reset it.
        self.writer.close()

    def say(self, data, end=False):
        self.answers.put_nowait((time.monotonic() + self.registry.delay,
            data, end))

    async def read(self):
        head = await self.take(4)
        if head == MAGIC and not self.registry.old:
            self.binary = True
            if await self.take(1) != VERSION:
                self.say_error("unsupported version")
                return
            head = await self.take(4)
        while True:
            length, = struct.unpack(">I", head)
            if not 0 < length <= LONGEST:
                raise OSError
            if not await self.request(await self.take(length)):
                return
            head = await self.take(4)

    async def take(self, count):
        return await asyncio.wait_for(self.reader.readexactly(count), SILENCE)

    async def request(self, data):
        """False: that was the last."""
        kind = data[0] if self.binary else JSON
        if not self.binary or kind == JSON:
            try:
                said = json.loads(data[self.binary:])
                what, node = said["type"], said.get("node_id")
            except (ValueError, TypeError, KeyError, AttributeError):
                raise OSError from None
            if type(node) is not int or not 0 <= node < 1 << 32:
                node = 0
        else:
            what = {HEARTBEAT: "heartbeat", LOOKUP: "lookup"}.get(kind, "")
            node = 0
            if kind == LOOKUP:
                if len(data) != 5:
                    raise OSError
                node, = struct.unpack(">I", data[1:])
            said = None
        self.registry.note(Request(time.monotonic(), self.number, what, node))
        await self.limit()
        if what == "lookup":
            return self.lookup(node, kind)
        if what == "heartbeat" and said is None:
            self.say(binary(HEARTBEAT_OK))
        elif said is not None:
            self.say_json(self.registry.answer(what, said))
        else:
            self.say_error("unknown type")
        return True

    async def limit(self):
        self.count += 1
        age = time.monotonic() - self.since
        if not self.registry.limits:
            return
        if self.registry.crowded():
            raise OSError
        if age > GRACE and self.count > RUDE * age:
            raise OSError
        if age > GRACE and self.count > POLITE * age:
            await asyncio.sleep(WAIT)

    def lookup(self, node, kind):
        """kind: in which framing it came."""
        key = self.registry.key_of(node)
        trick = self.registry.trick_of()
        if trick in TRICKS:
            data, end = TRICKS[trick](self.registry, node, key)
            self.say(data, end)
            return not end
        if trick is not None:
            error = "node %d: not found" % node if trick == "not found" \
                else trick
        else:
            error = None if key is not None else "node %d: not found" % node
        if kind == JSON:
            self.say_json({"type": "error", "error": error} if error else {
                "type": "lookup_ok", "node_id": node, "key_generation": 1,
                "public_key": base64.b64encode(key).decode()})
        elif error:
            self.say_error(error)
        else:
            self.say(binary(LOOKUP_OK, found(node, key)))
        return True

    def say_json(self, answer):
        data = json.dumps(answer).encode()
        self.say(binary(JSON, data) if self.binary else frame(data))

    def say_error(self, text):
        self.say(binary(ERROR, struct.pack(">H", len(text)) + text.encode()))


class Registry:
    """path: a UNIX socket's, in place of TCP.  old: no binary framing.
    strict: "not found" of whoever is not public.  token: the admin's; "": the
    registry itself has none; None: it asks for none.  tls: (certificate, key),
    paths."""

    def __init__(self, path=None, port=0, old=False, strict=False, limits=True,
            together=False, token=None, tls=None, delay=0.0,
            host="127.0.0.1"):
        self.path = path
        self.host = host
        self.port = port
        self.old = old
        self.strict = strict
        self.limits = limits
        self.together = together
        self.token = token
        self.tls = tls
        self.delay = delay          # seconds, of every answer
        self.trick = None           # of TRICKS or ERRORS, or any error
        self.tricks_left = 0
        self.nodes = {}             # node: key
        self.public = set()         # nodes that a strict one tells of
        self.beacons = {}           # id: (address, monotonic time)
        self.requests = []
        self.connections = []       # when each came
        self.recent = collections.deque()
        self.printing = False
        self.tasks = set()
        self.server = None

    # Starting, stopping, hanging.

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
            daemon=True)
        self.thread.start()
        if self.path is None:
            # Keeps the port while nobody listens.
            self.place = self.bound()
            self.port = self.place.getsockname()[1]
        self.call(self.open())
        return self

    def __exit__(self, *_):
        self.down()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        if self.path is None:
            self.place.close()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine,
            self.loop).result(10)

    async def open(self):
        self.awake = asyncio.Event()
        self.awake.set()
        await self.listen()

    def bound(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, self.port))
        return sock

    async def listen(self):
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(*self.tls)
        if self.path is None:
            self.server = await asyncio.start_server(self.accept,
                sock=self.bound(), ssl=context, backlog=128)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            self.server = await asyncio.start_unix_server(self.accept,
                self.path, ssl=context)
            os.chmod(self.path, 0o666)

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await Connection(self, reader, writer).run()
        finally:
            self.tasks.discard(task)

    def up(self):
        """Listens again, at the same place."""
        self.call(self.listen())

    def down(self):
        """Listens no more, and drops every connection."""
        async def close():
            if self.server is not None:
                self.server.close()
                await self.server.wait_closed()
                self.server = None
            await self.cut()
        self.call(close())

    def drop(self):
        """Drops every connection; new ones are welcome."""
        self.call(self.cut())

    async def cut(self):
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def hang(self):
        """Takes requests and connections, answers nothing."""
        self.loop.call_soon_threadsafe(self.awake.clear)

    def go_on(self):
        """Answers, also what was asked meanwhile."""
        self.loop.call_soon_threadsafe(self.awake.set)

    def play(self, trick, times=1 << 30):
        """The next lookups are answered by one of TRICKS or with an error."""
        self.tricks_left = times
        self.trick = trick

    # Its nodes.

    def register(self, node, key_of=None, public=True):
        """With the key of that test node; registering again rotates."""
        import keys
        self.nodes[node] = keys.pair(node if key_of is None else key_of)[0]
        if public:
            self.public.add(node)

    def remove(self, node):
        self.nodes.pop(node, None)
        self.public.discard(node)

    def snapshot(self, path):
        """Writes the snapshot there, as a registry does: by rename."""
        nodes = {str(node): {"id": node, "hostname": "node%d" % node,
            "public_key": base64.b64encode(key).decode(), "tags": ["a", {}]}
            for node, key in self.nodes.items()}
        whole_of_it = {"version": 1, "networks": {"1": {"members": [1, 2]}},
            "nodes": nodes, "next_node": len(nodes) + 1}
        with open(path + ".new", "w") as f:
            json.dump(whole_of_it, f)
        os.rename(path + ".new", path)

    # What a connection asks of it.

    def key_of(self, node):
        if self.strict and node not in self.public:
            return None
        return self.nodes.get(node)

    def trick_of(self):
        if self.tricks_left <= 0:
            return None
        self.tricks_left -= 1
        return self.trick

    def crowded(self):
        if not self.together:
            return False
        now = time.monotonic()
        self.recent.append(now)
        while self.recent[0] < now - 1:
            self.recent.popleft()
        return len(self.recent) > TOGETHER

    def answer(self, what, said):
        if what == "beacon_register":
            return self.sign_on(said)
        if what == "beacon_list":
            return {"type": "beacon_list_ok", "beacons": [
                {"id": i, "addr": address}
                for i, (address, when) in sorted(self.beacons.items())
                if when > time.monotonic() - BEACON_LAPSE]}
        return {"type": "error", "error": "unknown type"}

    def sign_on(self, said):
        if self.token == "":
            return {"type": "error", "error": "request failed"}
        if self.token is not None and said.get("admin_token") != self.token:
            return {"type": "error", "error": "invalid admin token"}
        if not said.get("addr") or not isinstance(said.get("beacon_id"), int):
            return {"type": "error", "error": "request failed"}
        self.beacons[said["beacon_id"]] = said["addr"], time.monotonic()
        return {"type": "beacon_register_ok"}

    # What it was asked.

    def note(self, request):
        self.requests.append(request)
        if self.printing:
            print("%d: %s %d" % request[1:], flush=True)

    def lookups(self, node=None):
        return [r for r in list(self.requests) if r.kind == "lookup" and
            node in (None, r.node)]

    def busiest(self, seconds=1.0):
        """The most requests that came within so many seconds."""
        times = [r.when for r in list(self.requests)]
        first = most = 0
        for i, when in enumerate(times):
            while times[first] < when - seconds:
                first += 1
            most = max(most, i - first + 1)
        return most

    @property
    def directive(self):
        """The line of a beacon's configuration."""
        if self.path is not None:
            return 'registry "%s"' % self.path
        return "registry %s port %d" % (self.host, self.port)


def certificate(directory, name="registry"):
    """Signs one itself.  Returns ((certificate, key), SHA-256 of its DER)."""
    cert, key = (os.path.join(directory, name + end) for end in (".pem",
        ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=registry", "-keyout", key, "-out", cert], check=True,
        stderr=subprocess.DEVNULL)
    with open(cert) as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    return (cert, key), hashlib.sha256(der).hexdigest()


# By itself.

def read_keys(path):
    with open(path) as f:
        rows = (line.partition("#")[0].split() for line in f)
        return {int(row[0]): base64.b64decode(row[1]) for row in rows if row}


def arguments():
    p = argparse.ArgumentParser(description="A registry to try things with.")
    p.add_argument("-p", "--port", type=int, default=9000)
    p.add_argument("-u", "--unix", help="the path of a socket, not a port")
    p.add_argument("--old", action="store_true", help="JSON framing only")
    p.add_argument("--strict", action="store_true", help="no node is public")
    p.add_argument("--token", help="the admin's")
    p.add_argument("--snapshot", help="write one there, when keys change")
    p.add_argument("--delay", type=float, default=0, help="of each answer")
    p.add_argument("--hang", action="store_true", help="answer nothing")
    p.add_argument("--play", choices=sorted(TRICKS) + sorted(ERRORS),
        help="answer lookups so")
    p.add_argument("keys", help='the nodes: a file of lines "NODE KEY"')
    p.add_argument("command", nargs=argparse.REMAINDER,
        help="is run beside it, and ends it")
    return p.parse_args()


def run(r, opt):
    """Until the command has ended."""
    seen = None
    beside = subprocess.Popen(opt.command) if opt.command else None
    if beside:
        signal.signal(signal.SIGTERM, lambda *_: beside.terminate())
    while beside is None or beside.poll() is None:
        now = os.stat(opt.keys).st_mtime_ns
        if now != seen:
            r.nodes = read_keys(opt.keys)
            if opt.snapshot:
                r.snapshot(opt.snapshot)
            seen = now
        # A terminal's signal goes to both: it is the command that ends.
        with contextlib.suppress(KeyboardInterrupt if beside else ()):
            time.sleep(0.2)
    return beside.returncode


def main():
    opt = arguments()
    with Registry(opt.unix, opt.port, opt.old, opt.strict, token=opt.token,
            delay=opt.delay) as r:
        r.printing = True
        if opt.hang:
            r.hang()
        if opt.play:
            r.play(opt.play)
        print("registry: ready", flush=True)
        return run(r, opt)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
