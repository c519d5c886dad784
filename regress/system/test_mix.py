# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Random mixes of all that passes through a worker's one read buffer.

Packets are unmasked, given new headers and moved in place there, for peers of
this worker, of another one and by UDP at the same time: each must get exactly
its own, whole and in order.
"""

import random
import struct
import threading

from beacon import Beacon
from client import (BINARY, CONTINUATION, PING, TEXT, deliver, frame, login,
    pair_on_workers, relay)
from udp import Udp

SIZES = [0, 1, 3, 50, 116, 117, 118, 121, 400, 511, 512, 513, 1000, 1222, 2030,
    2043, 2048, 2049, 4000, 9000, 16384, 32763]
NOBODY = 4000
PACKETS = 400


def body(number, dest, size):
    return (struct.pack(">II", dest, number) * (size // 8 + 1))[:size]


def mask(rng):
    return bytes(rng.randrange(256) for _ in range(4))


def fragments(rng, packet):
    """The packet as a message of several frames, pings between them."""
    cuts = sorted(rng.randrange(len(packet) + 1)
        for _ in range(rng.randrange(1, 5)))
    parts = [packet[a:b] for a, b in zip([0] + cuts, cuts + [len(packet)])]
    out = b""
    for i, part in enumerate(parts):
        out += frame(CONTINUATION if i else BINARY, part,
            fin=i == len(parts) - 1, mask=mask(rng))
        if rng.random() < 0.4:
            out += frame(PING, bytes(rng.randrange(126)), mask=mask(rng))
    return out


def noise(rng):
    """What a peer may send and nobody gets."""
    return frame(*rng.choice([(TEXT, b"t" * rng.choice([0, 5, 300, 5000])),
        (PING, bytes(rng.randrange(126))), (BINARY, b"\x77junk")]),
        mask=mask(rng))


def mixture(rng, source, dests):
    """The bytes to send, and the packets that each destination must get."""
    weights = [rng.random() ** 2 for _ in dests]
    sizes = rng.choice([SIZES, SIZES[:16]])
    want = {dest: [] for dest in dests}
    stream = bytearray()
    for number in range(PACKETS):
        dest = rng.choices(dests, weights)[0]
        payload = body(number, dest, rng.choice(sizes))
        want[dest].append(deliver(source, payload))
        packet = relay(source, dest, payload)
        stream += fragments(rng, packet) if rng.random() < 0.15 else \
            frame(BINARY, packet, mask=mask(rng))
        if rng.random() < 0.15:
            stream += noise(rng)
    return stream, want


def take(end, packets, errors):
    try:
        for packet in packets:
            got = end.recv_packet()
            assert got == packet, "%d bytes %r, not %d bytes %r" % (len(got),
                got[:16], len(packet), packet[:16])
    except Exception as why:
        errors.append("node %d: %r" % (end.node, why))


def run(udp, ends, rng):
    source = ends[0]
    stream, want = mixture(rng, source.node,
        [end.node for end in ends[1:]] + [udp.node, NOBODY])
    errors = []
    takers = [threading.Thread(target=take, args=(end, want[end.node], errors))
        for end in ends[1:] + [udp]]
    for taker in takers:
        taker.start()
    at = 0
    while at < len(stream):
        size = rng.choice([1, 7, 100, 1448, 5000, 65536, 262144])
        source.send(bytes(stream[at:at + size]))
        at += size
    for taker in takers:
        taker.join()
    assert not errors, errors


def test_everybody_gets_what_is_his():
    with Beacon("source packet limit 0", udp=True) as b, \
            Udp(b.udp_port, 100) as udp:
        udp.join(b)
        near, far, rest = pair_on_workers(b, True)
        ends = [near, far] + rest
        ends += [login(b, node) for node in range(24, 30)]
        for seed in range(12):
            run(udp, ends, random.Random(seed))
        for client in ends:
            client.close()
