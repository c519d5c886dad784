# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""No memory in the parent: it refuses a piece of work, and goes on."""

import os
import shutil
import signal
import time

import keys
from beacon import BUILD, wait_for
from client import Client, login
from machine import MachineBeacon
from udp import Udp


class Starved(MachineBeacon):
    """The parent alone may be without memory."""

    def install(self, unprivileged):
        super().install(unprivileged)
        for name in ("beacond-worker", "beacond-auth", "beaconctl"):
            shutil.copy(os.path.join(BUILD, name), self.directory)
        return self.directory

    def running(self, role, worker=0):
        return next(c["state"] == "running" for c in self.children()
            if c["role"] == role and c.get("worker", 0) == worker)


def test_reload_is_refused():
    with Starved() as b, login(b, 1):
        b.memory(False)
        after = len(b.lines)
        os.kill(b.pid, signal.SIGHUP)
        b.wait_line("reload: no memory for .*, nothing changed", after=after)
        b.memory(True)
        b.write_keys(keys.line(1) + keys.line(40))
        b.ctl("reload", text=True)
        with login(b, 40):
            pass


def test_logins_and_sessions_go_on():
    with Starved(udp=True) as b, login(b, 1) as old, \
            Udp(b.udp_port, 5) as u, Client(b.port) as second:
        b.memory(False)
        second.login(2)
        second.send_to(1, b"x")
        old.expect_from(2, b"x")
        u.discover()
        second.send_to(5, b"y")
        u.expect_from(2, b"y")
        with login(b, 1):
            old.expect_close(1000, "replaced")
        b.memory(True)
        assert b.metric("replaced") == 1


def test_children_are_started_when_there_is_memory_again():
    with Starved() as b, login(b, 1):
        pids = [b.pid_of("worker"), b.pid_of("auth")]
        b.memory(False)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        after = len(b.lines)
        b.wait_line(r"worker\[0\] cannot be started: "
            "Cannot allocate memory", after=after)
        b.wait_line(r"auth cannot be started: "
            "Cannot allocate memory", after=after)
        time.sleep(1)
        b.memory(True)
        for role in ("worker", "auth"):
            wait_for(lambda: b.running(role))
        b.note_children()
        with login(b, 2), login(b, 3):
            pass


def test_control_client_is_refused_and_nobody_else():
    with Starved() as b, login(b, 1) as one, login(b, 2) as two:
        b.memory(False)
        b.ctl("show", "summary", ok=1)
        one.send_to(2, b"x")
        two.expect_from(1, b"x")
        b.memory(True)
        assert len(b.peers()) == 2
