#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A key source, written from beacond-keys(7) and nothing else.

    key_source.py SOCKET KEYS

answers by the lines "NODE BASE64" of a file, as it is at that time.  A line
"NODE ?" is of a node about which it cannot say anything at the moment.
"""

import base64
import os
import socketserver
import struct
import sys

HELLO = b"PILT\1"
HEARTBEAT, ALIVE, LOOKUP, KEY, ERROR = 0x01, 0x81, 0x02, 0x82, 0xff


class Unknown(Exception):
    """Nothing is known of the node; its text is told."""


def frame(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def error(text):
    return frame(ERROR, struct.pack(">H", len(text)) + text.encode())


def answer(kind, body, lookup):
    """lookup(node) returns 32 bytes, or None, or raises Unknown."""
    if kind == HEARTBEAT:
        return frame(ALIVE)
    if kind != LOOKUP:
        return error("unknown type")
    node, = struct.unpack(">I", body)
    try:
        key = lookup(node)
    except Unknown as why:
        return error("node %d: %s" % (node, why))
    if key is None:
        return error("node %d: not found" % node)
    return frame(KEY, struct.pack(">I7xB32s5x", node, 32, key))


class Source(socketserver.StreamRequestHandler):
    def handle(self):
        if self.rfile.read(len(HELLO)) != HELLO:
            return
        while len(head := self.rfile.read(5)) == 5:
            length, kind = struct.unpack(">IB", head)
            body = self.rfile.read(length - 1)
            self.wfile.write(answer(kind, body, self.server.lookup))


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path, lookup):
        self.lookup = lookup
        if os.path.exists(path):
            os.unlink(path)
        super().__init__(path, Source)
        os.chmod(path, 0o666)


def from_file(path):
    def lookup(node):
        with open(path) as f:
            keys = dict(line.split() for line in f)
        text = keys.get(str(node))
        if text == "?":
            raise Unknown("ask later")
        return text and base64.b64decode(text)
    return lookup


if __name__ == "__main__":
    with Server(sys.argv[1], from_file(sys.argv[2])) as server:
        server.serve_forever()
