# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The clients of the router socket that are shipped, and beacons with one."""

import fcntl
import os
import signal
import subprocess
import sys

from beacon import BUILD
from test_router import Routed

FRAME = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir,
    os.pardir, "frame"))
CLIENTS = ["c", "go", "python"]
TALKERS = ["go", "python"]      # those with a program to talk to


def go(*args):
    """Go's compiler, with nothing of the network and all it writes in BUILD."""
    env = {"PATH": os.environ["PATH"], "HOME": BUILD, "GO111MODULE": "on",
        "GOPROXY": "off", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0",
        "GOCACHE": os.path.join(BUILD, "go-cache")}
    run = subprocess.run(["go", *args], cwd=os.path.join(FRAME, "go"), env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    return run.stdout


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

