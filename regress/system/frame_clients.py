# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The clients of the router socket that are shipped, and beacons with one."""

import fcntl
import functools
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

from beacon import BUILD
import router as R
from test_router import Routed

FRAME = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir,
    os.pardir, "frame"))
CLIENTS = ["c", "go", "python"]
THREADED = ["go", "python"]     # with threads, and a callback for errors


def go(*args):
    """Go's compiler, with nothing of the network and all it writes in BUILD."""
    env = {"PATH": os.environ["PATH"], "HOME": BUILD, "GO111MODULE": "on",
        "GOPROXY": "off", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0",
        "GOCACHE": os.path.join(BUILD, "go-cache")}
    run = subprocess.run(["go", *args], cwd=os.path.join(FRAME, "go"), env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    return run.stdout


@functools.cache
def command(client, name):
    """Argv of one of its programs, relay or talk."""
    if client == "c":
        return [os.path.join(BUILD, "frame-" + name)]
    if client == "python":
        return [sys.executable, "-E", "-s", "-B", os.path.join(FRAME, "python",
            name + ".py")]
    path = os.path.join(BUILD, "frame-%s-go" % name)
    # Tests run side by side: one builds.
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        go("build", "-o", path, "./cmd/" + name)
    return [path]


def built(client):
    """A peer of a test that waits for a compiler would answer no ping."""
    for name in "relay", "talk":
        command(client, name)
    return client


class Program:
    """One that is attached to a beacon when it has said so."""

    def __init__(self, argv):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.greeting = []
        while True:
            line = self.proc.stdout.readline()
            if not line:
                self.proc.wait()
                raise AssertionError(self.proc.stderr.read())
            self.greeting.append(line.rstrip("\n"))
            if line.startswith(("ready", "attached")):
                break

    def say(self, *words):
        self.proc.stdin.write(" ".join(map(str, words)) + "\n")
        self.proc.stdin.flush()

    def hear(self):
        return self.proc.stdout.readline().rstrip("\n")

    def ask(self, *words):
        self.say(*words)
        return self.hear()

    def leave(self, sig=signal.SIGTERM):
        """Returns what it said on standard error."""
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        self.proc.wait(20)
        err = self.proc.stderr.read()
        print(err)
        assert self.proc.returncode == 0, self.proc.returncode
        return err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        for stream in self.proc.stdin, self.proc.stdout, self.proc.stderr:
            stream.close()


class ClientBeacon(Routed):
    """A beacon whose relay is another program, until the end."""

    client = None

    def start(self, *args):
        super().start(*args)
        self.program = Program(command(self.client, "relay") +
            [self.router_path])

    def stop(self, *args):
        assert "Traceback" not in self.program.leave()
        super().stop(*args)

    def clean_up(self):
        if hasattr(self, "program"):
            self.program.kill()
        super().clean_up()

    def metrics(self):
        """What is refused to the program counts as what the relay drops."""
        got = super().metrics()
        for name in got:
            if "drops_total" in name and '"queue_full"' in name:
                got[name] += next(v for k, v in got.items()
                    if "router_refused" in k)
        return got


class FakeBeacon:
    """What a program sees of one, of which it can say anything.

    Workers 3 and 60, of which all but 60 share memory with a client that wants
    some; in the map nodes 5 (at 3), 6 (at 9, which is not running) and 7 (known, not
    connected).
    """

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.map_fd = os.memfd_create("map")
        os.ftruncate(self.map_fd, R.MAP_BYTES)
        self.map = mmap.mmap(self.map_fd, R.MAP_BYTES)
        self.channels = {}
        self.window_fd = os.memfd_create("window")
        os.ftruncate(self.window_fd, R.WINDOW_BYTES)
        self.window = mmap.mmap(self.window_fd, R.WINDOW_BYTES)
        struct.pack_into("=I4xQQII", self.map, 0, 0x62656d32, 12345, 6789,
            2 << 1 | 1, 2)
        # Half 1, four places, none of them empty, one that says nothing.
        struct.pack_into("=IIII", self.map, 8396800, 2000000, 1, 2, 3)
        for i, entry in enumerate([(5, 50, 3), (6, 60, 9), (7, 0, 0)]):
            struct.pack_into("=III4xB", self.map, 16785408 + 64 * i, 8, *entry)

    def attach(self, client, name="talk"):
        """The program, to which everything was said."""
        argv = command(client, name) + [self.listener.getsockname()]
        threading.Thread(target=self.greet, daemon=True).start()
        return Program(argv)

    def greet(self):
        self.sock = self.listener.accept()[0]
        hello = self.sock.recv(100)
        self.version = hello[-4]
        assert hello == R.message(R.HELLO, data=struct.pack("=I",
            self.version))
        assert self.version in (R.PLAIN, R.VERSION)
        self.send(R.WELCOME, data=struct.pack("=IIII", self.version, 65536,
            32768, 0), fd=self.map_fd)
        for worker in 3, 60:
            self.channel(worker)
        self.send(R.ADDRESS, data=bytes(15) + b"\1" + struct.pack("=I", 443))
        self.send(R.ATTACHED)

    def move(self, i, worker):
        """Entry i of the map is at that worker from now on."""
        self.map[16785408 + 64 * i + 16] = worker

    def channel(self, worker):
        ours, theirs = socket.socketpair()
        ours.settimeout(R.BOUND)
        ours.sendall(R.message(R.JOINED))
        self.channels[worker] = R.Stream(ours)
        if worker != 60 and self.version == R.VERSION:
            self.send(R.WINDOW, worker, fd=self.window_fd)
        self.send(R.CHANNEL, worker, fd=theirs.fileno())
        theirs.close()

    def send(self, kind, node=0, data=b"", fd=None):
        message = R.message(kind, node, data=data)
        if fd is None:
            self.sock.sendall(message)
        else:
            marked = bytearray(message)
            struct.pack_into("=I", marked, 4, len(message) | 1 << 31)
            socket.send_fds(self.sock, [marked], [fd])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stream in self.channels.values():
            stream.close()
        self.sock.close()
        self.listener.close()
        os.close(self.map_fd)
        os.close(self.window_fd)


@pytest.fixture(params=CLIENTS)
def client(request):
    return built(request.param)


@pytest.fixture(params=THREADED)
def talker(request):
    return built(request.param)


@pytest.fixture
def fake(tmp_path):
    with FakeBeacon(str(tmp_path / "router")) as beacon:
        yield beacon
