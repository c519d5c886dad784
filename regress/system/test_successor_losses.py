# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What happens to peers, operators and limits while a new parent takes over."""

import os
import resource
import signal
import socket
import struct
import subprocess
import threading

import pytest

from beacon import Beacon, limit, wait_for
from client import BINARY, CLOSE, CONTINUATION, frame, login, relay
from test_successor import OPEN, Taking

MANY = OPEN + "\nsource upgrade limit 0"


def reset(client):
    """The connection ends as if the peer's machine had never had it."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
        struct.pack("ii", 1, 0))
    client.sock.close()


def all_talk(peers):
    nodes = sorted(peers)
    for i, node in enumerate(nodes):
        to = nodes[i - 1]
        peers[node].send_packet(relay(node, to, b"from %d" % node))
        peers[to].expect_from(node, b"from %d" % node)


@limit(60)
def test_who_goes_meanwhile_goes_alone():
    """Half of each batch is reset while all stand still."""
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 17)}
        taking = Taking(b, "whole", peers.values())
        for node in range(1, 9):
            reset(peers.pop(node))
        taking.go_on()
        assert taking.ended() == "old"
        b.succeeded_by(taking.new)
        b.wait_peers(len(peers))
        all_talk(peers)


@limit(60)
def test_who_comes_goes_and_talks_before_the_last():
    """Some were told of already; what is true when all stand still counts."""
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 13)}
        taking = Taking(b, "given", peers.values())
        peers.pop(1).close()
        reset(peers.pop(2))
        # In the place of one that was told of, perhaps, and of another.
        old, peers[3] = peers[3], login(b, 3)
        opcode, _ = old.next(5)
        assert opcode == CLOSE
        peers[13] = login(b, 13)
        whole = frame(BINARY, relay(4, 5, b"in two halves"))
        peers[4].send(whole[:9])
        peers[6].send_packet(relay(6, 7, b"on its way"))
        peers[7].expect_from(6, b"on its way")
        first = relay(8, 9, b"in fragments")
        peers[8].send(frame(BINARY, first[:7], fin=False))
        b.wait_peers(len(peers))
        taking.go_on()
        assert taking.ended() == "old"
        b.succeeded_by(taking.new)
        b.wait_peers(len(peers))
        peers[4].send(whole[9:])
        peers[5].expect_from(4, b"in two halves")
        peers[8].send(frame(CONTINUATION, first[7:]))
        peers[9].expect_from(8, b"in fragments")
        all_talk(peers)
        old.expect_end()
        b.ctl("show", "peer", "1", ok=1)


def fails(b, hard):
    """A new parent that may have so many open files ends, and says why."""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run = subprocess.run(b.command("-u", "-d", "-f", b.conf_path),
        env=b.environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, timeout=20, preexec_fn=lower)
    assert run.returncode == 1, run.stderr
    return run.stderr


@limit(60)
def test_one_with_less_room_takes_nobody():
    with Beacon(MANY, workers=2, nodes=range(1, 301)) as b:
        peers = {node: login(b, node) for node in range(1, 301)}
        b.write_conf(MANY, workers=1)
        assert b"room for them, or too low a limit" in fails(b, 256)
        b.wait_peers(len(peers))
        all_talk(peers)


@limit(60)
def test_a_second_one_meanwhile_takes_nobody():
    """It would get the rest of what the first one was told of ahead."""
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 9)}
        taking = Taking(b, "given", peers.values())
        run = subprocess.run(b.command("-u", "-d", "-f", b.conf_path),
            env=b.environment(), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=20)
        assert run.returncode == 1 and b"try again" in run.stderr, run.stderr
        # Nor is what an operator says lost: the first has read the blocks.
        b.ctl("block", "3", text=True, ok=1)
        taking.go_on()
        assert taking.ended() == "old"
        b.succeeded_by(taking.new)
        b.wait_peers(len(peers))
        all_talk(peers)


@limit(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_to_end_ends_alone(number):
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 9)}
        taking = Taking(b, "whole", peers.values())
        taking.new.send_signal(number)
        assert taking.ended() == "new"
        assert b"told to end before it has taken over" in taking.said()
        taking.go_on()
        all_talk(peers)
        b.take_over()
        all_talk(peers)


@limit(60)
@pytest.mark.parametrize("step", ["still", "whole"])
def test_operators_wait_for_the_one_that_goes_on(step):
    """Not for one that knows of nobody yet."""
    answers = []
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 9)}
        taking = Taking(b, step, peers.values())
        asks = threading.Thread(
            target=lambda: answers.append(b.ctl("show", "peers")))
        asks.start()
        taking.go_on()
        assert taking.ended() == "old"
        asks.join(10)
        b.succeeded_by(taking.new)
        assert {p["node"] for p in answers[0]} == set(peers)
        all_talk(peers)


@limit(60)
def test_who_has_lost_his_key_meanwhile_is_found_out():
    """The key file has changed, and nobody has said so."""
    with Beacon(OPEN, workers=2) as b:
        peers = {node: login(b, node) for node in range(1, 9)}
        with open(b.keys_path) as f:
            lines = f.read().splitlines(keepends=True)
        b.write_keys("".join(l for l in lines if l.split()[0] != "7"))
        b.take_over()
        peers.pop(7).expect_close(1008, bound=20)
        all_talk(peers)
