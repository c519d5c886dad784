#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A router to talk to by hand, or by a test: it does what standard input says, and says
on standard output what comes.

    talk.py ROUTER_SOCKET

    write NODE HEX           written true | false
    connected NODE           connected true | false
    close NODE CODE REASON   closed true | false
    flood NODE COUNT THREADS flooded N: that were written of COUNT by each thread
    count                    count N
    metrics                  metrics, the eight numbers
                             frame NODE HEX
                             refused NODE REASON HEX
                             came NODE GENERATION, gone NODE GENERATION
                             error TEXT

It leaves at the end of its input.
"""

import concurrent.futures
import dataclasses
import struct
import sys

import beacond_frame


def say(*words):
    print(*(str(word).lower() if isinstance(word, bool) else word
        for word in words), flush=True)


def flood(node, count, threads):
    """Writes frames of two numbers each: of the thread and of the frame."""
    def write(thread):
        return sum(server.write_frame(node, struct.pack(">II", thread, n))
            for n in range(count))
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(write, range(threads)))


def do(words):
    what, numbers = words[0], [int(word) for word in words[1:2]]
    if what == "write":
        say("written", server.write_frame(*numbers, bytes.fromhex(words[2])))
    elif what == "connected":
        say("connected", server.is_connected(*numbers))
    elif what == "close":
        try:
            done = server.close_peer(*numbers, int(words[2]), words[3])
        except ValueError:      # no such code
            done = False
        say("closed", done)
    elif what == "flood":
        say("flooded", flood(*numbers, int(words[2]), int(words[3])))
    elif what == "count":
        say("count", server.peer_count())
    elif what == "metrics":
        say("metrics", *dataclasses.astuple(server.metrics()))


if __name__ == "__main__":
    server = beacond_frame.Server(beacond_frame.Config(
        router_socket=sys.argv[1],
        on_frame=lambda node, data: say("frame", node, data.hex()),
        on_refused=lambda node, reason, data: say("refused", node, reason,
            data.hex()),
        on_peer=lambda node, generation, came: say(
            "came" if came else "gone", node, generation),
        on_error=lambda error: say("error", error)))
    say("before", server.addr() or "nowhere yet")
    server.start()
    say("ready at", server.addr())
    for line in sys.stdin:
        if line.strip():
            do(line.rstrip("\n").split(" ", 3))
    server.close()
    server.close()
    say("left", server.is_connected(1), server.peer_count(),
        server.write_frame(1, b"x"), "<nil>")
