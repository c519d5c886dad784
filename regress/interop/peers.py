# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Peers on WebSocket libraries that other people wrote."""

import asyncio
import base64
import json
import os
import queue
import subprocess
import threading

import websockets

import keys
from client import relay

HERE = os.path.dirname(os.path.abspath(__file__))
BOUND = 20


def url(beacon):
    return "ws://127.0.0.1:%d/v1/compat" % beacon.port


class Peer:
    """What both have: packets and events come out of a queue."""

    def __init__(self, node):
        self.node = node
        self.packets = queue.Queue()
        self.events = queue.Queue()

    def recv_packet(self, bound=BOUND):
        return self.packets.get(timeout=bound)

    def event(self, name, bound=BOUND):
        """The next event of that name; others are passed over."""
        while True:
            got = self.events.get(timeout=bound)
            if got["event"] == name:
                return got
            assert got["event"] not in ("error", "close"), got

    def send_to(self, dest, payload, how="whole"):
        self.send(relay(self.node, dest, payload), how)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class NodePeer(Peer):
    """On node-ws."""

    def __init__(self, beacon, node, legacy=False):
        super().__init__(node)
        self.proc = subprocess.Popen(["node",
            os.path.join(HERE, "node_client.js")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, NODE_PATH="/usr/share/nodejs"))
        threading.Thread(target=self.read, daemon=True).start()
        self.tell(op="login", url=url(beacon), node=node,
            seed=keys.seed(node).hex(), legacy=legacy)
        self.protocol = self.event("auth_ok")["protocol"]

    def read(self):
        for line in self.proc.stdout:
            got = json.loads(line)
            if got["event"] == "message":
                self.packets.put(base64.b64decode(got["data"]))
            else:
                self.events.put(got)

    def tell(self, **op):
        self.proc.stdin.write(json.dumps(op) + "\n")
        self.proc.stdin.flush()

    def send(self, packet, how="whole"):
        self.tell(op="send", data=base64.b64encode(packet).decode(),
            how=how)

    def ping(self, data):
        self.tell(op="ping", data=data)
        assert self.event("pong")["data"] == data

    def goodbye(self):
        self.tell(op="close")
        got = self.events.get(timeout=BOUND)
        while got["event"] == "ping":
            got = self.events.get(timeout=BOUND)
        return got["code"]

    def close(self):
        self.proc.stdin.close()
        self.proc.wait(BOUND)


class PythonPeer(Peer):
    """On python3-websockets, whose loop runs in a thread.

    where: the URL, if it is not the beacon's own; options: of the library's
    connect().
    """

    def __init__(self, beacon, node, legacy=False, where=None, **options):
        super().__init__(node)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
            daemon=True)
        self.thread.start()
        self.ws = self.call(self.login(where or url(beacon), legacy, options))
        self.protocol = self.ws.subprotocol
        self.reader = asyncio.run_coroutine_threadsafe(self.read(),
            self.loop)

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine,
            self.loop).result(BOUND)

    async def login(self, where, legacy, options):
        ws = await websockets.connect(where, subprotocols=["pilot.v1"],
            compression=None, ping_interval=None, **options)
        challenge = json.loads(await ws.recv())
        when = "" if legacy else "%d:" % challenge["ts"]
        text = "compat_auth:%d:%s%s" % (self.node, when, challenge["nonce"])
        await ws.send(json.dumps({"type": "auth_reply",
            "node_id": self.node,
            "public_key": b64(keys.pair(self.node)[0]),
            "sig": b64(keys.sign(self.node, text.encode()))}))
        assert json.loads(await ws.recv()) == {"type": "auth_ok"}
        return ws

    async def read(self):
        try:
            async for message in self.ws:
                self.packets.put(message)
        except websockets.ConnectionClosed:
            pass
        self.events.put({"event": "close", "code": self.ws.close_code,
            "reason": self.ws.close_reason})

    def send(self, packet, how="whole"):
        self.call({"whole": self.send_whole, "fragments":
            self.send_fragments, "bytewise": self.send_bytewise}[how](packet))

    async def send_whole(self, packet):
        await self.ws.send(packet)

    async def send_fragments(self, packet):
        size = -(-len(packet) // 5)
        await self.ws.send([packet[at:at + size]
            for at in range(0, len(packet), size)])

    async def send_bytewise(self, packet):
        transport = self.ws.transport
        write = transport.write

        def each(data):
            for i in range(len(data)):
                write(data[i:i + 1])
        transport.write = each
        try:
            await self.ws.send(packet)
        finally:
            transport.write = write

    def ping(self, data):
        async def there_and_back():
            await asyncio.wait_for(await self.ws.ping(data), BOUND)
        self.call(there_and_back())

    def goodbye(self):
        self.call(self.ws.close(1000))
        return self.ws.close_code

    def close(self):
        self.call(self.ws.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(BOUND)


def b64(data):
    return base64.b64encode(data).decode()
