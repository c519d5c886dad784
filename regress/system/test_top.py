# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""beaconctl top, in a terminal and line by line."""

import os
import re
import subprocess

from beacon import Beacon, wait_for
from client import login

BEACONCTL = os.path.abspath(os.path.join(os.environ["BEACOND_BUILD"],
    "beaconctl"))


def top(b, *options, ok=0):
    """What it says, on standard error as well."""
    run = subprocess.run([BEACONCTL, "-s", b.socket, "top", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=20)
    assert run.returncode == ok, run.stdout
    return run.stdout


class Terminal:
    """A command in tmux, in a window of that size."""

    def __init__(self, folder, width, height, command):
        self.socket = os.path.join(folder, "tmux")
        self("new-session", "-d", "-x", str(width), "-y", str(height), "-s",
            "t", command)

    def __call__(self, *args, ok=0):
        run = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket,
            *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=20)
        assert ok is None or run.returncode == ok, run.stdout
        return run.stdout

    def lines(self):
        return self("capture-pane", "-p", "-t", "t").rstrip("\n").split("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self("kill-server", ok=None)


def test_line_by_line():
    with Beacon(workers=1) as b, login(b, 1) as one, login(b, 2) as two:
        one.send_to(9999, b"to nobody")
        for i in range(5):
            one.send_to(2, b"%d" % i)
            two.expect_from(1, b"%d" % i)
        told = top(b, "-b", "-n", "2", "-d", "1")
        first, second = told.split("\n\nbeacond ")
        assert "on average since the start" in first
        assert re.search(r"^a second, in the last [12]\.\d s:$", second, re.M)
        for sample in first, second:
            assert "peers 2   nodes 2" in sample
            assert re.search(r"^worker +0 +%d running" % b.pid_of("worker"),
                sample, re.M)
            assert re.search(r" 1 packets for a node that is nowhere$",
                sample, re.M)
            # Six frames came from one and five went to two.
            assert re.search(r"^1 +0 +[\d.]+ +6 +0 +0 127", sample, re.M)
            assert re.search(r"^2 +0 +[\d.]+ +0 +5 +0 127", sample, re.M)
        assert re.search(r"^ +0\.0 +1 packets for a node", second, re.M)
        relayed = float(re.search(r"packets +([\d.]+) relayed", first)[1])
        assert relayed > 0


def test_the_busiest_stand_first():
    with Beacon("source packet limit 0\n", workers=2) as b:
        clients = [login(b, n) for n in range(1, 9)]
        for _ in range(50):
            clients[4].send_to(3, b"x")
            clients[2].expect_from(5, b"x")
        clients[6].send_to(3, b"x")
        clients[2].expect_from(7, b"x")
        rows = re.findall(r"^(\d+) +[01] +[\d.]+ ", top(b, "-b", "-n", "1"),
            re.M)
        assert rows[:3] == ["3", "5", "7"] and len(rows) == 8
        for client in clients:
            client.close()


def test_in_a_terminal():
    with Beacon(workers=1) as b, login(b, 1), login(b, 2):
        with Terminal(b.directory, 100, 40, "%s -s %s top -d 1; sleep 60" %
                (BEACONCTL, b.socket)) as t:
            wait_for(lambda: "in the last" in "".join(t.lines()))
            lines = t.lines()
            assert lines[0].startswith("beacond ") and "peers 2" in lines[0]
            assert any(line.startswith("NODE ") for line in lines)
            # One peer more: the same lines, and nothing left of before.
            with login(b, 3):
                wait_for(lambda: "peers 3" in t.lines()[0])
            assert sum("PROCESS" in line for line in t.lines()) == 1
            # A smaller window has the first lines, each cut off.
            t("resize-window", "-t", "t", "-x", "40", "-y", "6")
            wait_for(lambda: [line[:9] for line in t.lines()] ==
                [line[:9] for line in lines[:5]], 10)
            assert all(len(line) < 40 for line in t.lines())
            t("send-keys", "-t", "t", "x", "q")
            wait_for(lambda: t("display-message", "-p", "-t", "t",
                "#{pane_current_command}").strip() == "sleep", 10)


def test_the_end_of_the_beacon_is_said():
    with Beacon(workers=1) as b:
        with Terminal(b.directory, 100, 40, "%s -s %s top -d 1; stty -a;"
                "sleep 60" % (BEACONCTL, b.socket)) as t:
            wait_for(lambda: "beacond " in t.lines()[0])
            b.stop()
            wait_for(lambda: any(line.startswith("beaconctl: ")
                for line in t.lines()), 10)
            # And the terminal is as it was.
            wait_for(lambda: any(" echo " in line and "-echo " not in line
                for line in t.lines()), 10)


def test_what_cannot_be_is_said():
    with Beacon(workers=1) as b:
        assert "-b writes line by line" in top(b, ok=2)
        assert "too small" in top(b, "-d", "0", ok=2)
        assert "no such option" in top(b, "-z", ok=2)
        assert "nothing may follow" in top(b, "-b", "word", ok=2)
