#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A relay in the place of beacond's own, as small as can be.

    relay.py ROUTER_SOCKET [KEY_SOCKET KEYS]

passes on what a peer sends to another (doc/protocol.md 4.1), until SIGTERM.  With
the last two it is also who knows the keys, by the lines "NODE BASE64" of a file.
"""

import base64
import os
import signal
import struct
import sys

import beacond_frame

RELAY = struct.Struct(">BII")       # 5, sender, destination
DELIVER = struct.Struct(">BI")      # 6, sender


def on_frame(sender, frame):
    if len(frame) < RELAY.size:
        return
    kind, claims, dest = RELAY.unpack_from(frame)
    if kind != 5 or claims != sender:
        return
    # False: not connected.  A beacon would try UDP now.
    server.write_frame(dest, DELIVER.pack(6, sender) + frame[RELAY.size:])


def on_error(error):
    print(error, file=sys.stderr)
    os._exit(1)


def lookup(node):
    with open(sys.argv[3]) as f:
        keys = dict(line.split() for line in f)
    key = keys.get(str(node))
    return key and base64.b64decode(key)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    config = beacond_frame.Config(router_socket=sys.argv[1],
        on_frame=on_frame, on_error=on_error)
    if len(sys.argv) > 3:
        config.key_socket = sys.argv[2]
        config.pub_key_lookup = lookup
    server = beacond_frame.Server(config)
    server.start()
    print("ready at", server.addr(), flush=True)
    signal.sigwait([signal.SIGTERM])
    server.close()
