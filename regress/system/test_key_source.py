# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Any program can be the key source (beacond-keys(7))."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

import key_source
import keys
from beacon import Beacon, wait_for
from client import login
from test_registry import LATER, OPEN, REFUSED, enter, outcomes, refused, \
    waiting

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, os.pardir, os.pardir, "etc/beacond-keys.7")


class Program:
    """The key source, in a process that has nothing of ours but its text."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "source")
        self.keys = os.path.join(directory, "keys")
        self.write()
        self.start()

    def start(self):
        self.proc = subprocess.Popen([sys.executable, "-I", "-S",
            os.path.join(HERE, "key_source.py"), self.path, self.keys])

    def stop(self, how=signal.SIGTERM):
        self.proc.send_signal(how)
        self.proc.wait()

    def write(self, *lines):
        with open(self.keys + ".new", "w") as f:
            f.write("".join(lines))
        os.rename(self.keys + ".new", self.keys)


@contextlib.contextmanager
def sourced(conf=""):
    """Such a program, and a beacon that asks it."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        source = Program(directory)
        try:
            wait_for(lambda: os.path.exists(source.path), what="its socket")
            with Beacon('registry "%s"\n%s\n%s' % (source.path, OPEN, conf),
                    None) as b:
                wait_up(b)
                yield source, b
        finally:
            source.stop(signal.SIGKILL)


def wait_up(b, up=True):
    """It is tried again at random times, the longer the longer it is away."""
    wait_for(lambda: (b.ctl("show", "registry")["link"] == "up") == up, 40,
        "the key source")


def test_logins_by_its_keys():
    with sourced() as (source, b):
        assert refused(b, 2) < 1
        source.write(keys.line(1), "3 ?\n", *map(keys.line, range(10, 60)))
        enter(b, 1)
        refused(b, 1, signer=2)
        refused(b, 3, *LATER)
        # Many requests in one read.
        clients = waiting(b, range(10, 60))
        assert set(outcomes(clients)) == {"in"}
        for client in clients:
            client.close()


def test_a_node_that_is_rotated_or_removed():
    with sourced("registry refresh 1\nregistry grace 2") as (source, b):
        source.write(keys.line(1), keys.line(2), keys.line(3))
        enter(b, 3)
        with login(b, 1) as one, login(b, 2) as two:
            source.write(keys.line(2, key_of=102), keys.line(3, key_of=103))
            # The new key at the first try, the old one for a while.
            enter(b, 3, signer=103)
            enter(b, 3)
            one.expect_close(REFUSED, bound=5)
            two.expect_close(REFUSED, bound=8)
        refused(b, 1)
        refused(b, 3)


def test_it_is_restarted():
    with sourced() as (source, b):
        source.write(keys.line(1))
        enter(b, 1)
        source.stop()
        wait_up(b, False)
        enter(b, 1)
        source.write(keys.line(1), keys.line(2))
        source.start()
        wait_up(b)
        enter(b, 2)


def test_the_manual_shows_what_is_said():
    """Its example is what the program answers, and beacond asks like that."""
    with open(PAGE) as f:
        text = re.search(r"\.Bd -literal.*\n((?:.*\n)+?)\.Ed", f.read())
    said = re.sub(r"\n +", " ", text.group(1)).splitlines()
    said = [(who, bytes.fromhex(data)) for who, data in
        (line.split(":", 1) for line in said)]
    known = {7: b"\xaa" * 32}
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "source")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o666)
            listener.listen()
            with Beacon('registry "%s"\n%s' % (path, OPEN), None) as b:
                sock = listener.accept()[0]
                clients = []
                for node, (who, data) in zip((0, 0, 7, 7, 8, 8), said):
                    if who == "source":
                        sock.sendall(data)
                        continue
                    if node:
                        clients += waiting(b, [node])
                    assert sock.recv(len(data), socket.MSG_WAITALL) == data
                # Signed with a key that is not the one of the example.
                assert outcomes(clients) == [REFUSED, REFUSED]
                sock.close()
                for client in clients:
                    client.close()
    for (_, asked), (_, answer) in zip(said[::2], said[1::2]):
        asked = asked.removeprefix(key_source.HELLO)
        assert key_source.answer(asked[4], asked[5:], known.get) == answer
