# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What the two programs say about themselves on the command line."""

import os
import subprocess

import pytest

from beacon import BUILD, Beacon


def say(program, *args):
    run = subprocess.run([os.path.join(BUILD, program), *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=10)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("program", ["beacond", "beaconctl"])
def test_whoever_asks_for_help_gets_it(program):
    for word in "-h", "--help", "help":
        status, out, errors = say(program, word)
        assert (status, errors) == (0, ""), word
        assert out.startswith("usage: %s " % program)
    for word in "-V", "--version":
        status, out, errors = say(program, word)
        assert (status, errors) == (0, "")
        assert out.startswith(program + " ") and out.count("\n") == 1


@pytest.mark.parametrize("program, args, why", [
    ("beacond", ["-x"], "-x: no such option"),
    ("beacond", ["-f"], "-f: a file is missing"),
    ("beacond", ["start"], "start: only options"),
    ("beaconctl", ["-x"], "-x: no such option"),
    ("beaconctl", ["-s"], "-s: a word is missing"),
    ("beaconctl", [], "a word is missing; valid here: show"),
    ("beaconctl", ["show", "nodse"], 'unknown word "nodse"'),
    ("beaconctl", ["keygen"], "keygen: one FILE"),
    ("beaconctl", ["keygen", "-n", "0", "f"], "keygen: 0: not a node id"),
    ("beaconctl", ["keygen", "-q", "f"], "keygen: -q: no such option"),
    ("beaconctl", ["probe", "ws://h"], "probe: -i KEYFILE and -n NODE"),
    ("beaconctl", ["probe", "-i", "k", "-n", "1"], "probe: one URL"),
    ("beaconctl", ["probe", "-n", "x"], "probe: x: invalid"),
])
def test_the_first_line_says_what_is_wrong(program, args, why):
    status, out, errors = say(program, *args)
    assert status != 0 and out == ""
    assert errors.startswith("%s: %s" % (program, why)), errors


def test_ps_shows_which_worker_it_is():
    with Beacon(workers=3) as b:
        for child in b.children():
            with open("/proc/%d/cmdline" % child["pid"]) as f:
                name = f.read().split("\0")[0]
            if child["role"] == "worker":
                assert name == "beacond-worker: worker[%d]" % child["worker"]
            elif child["role"] == "auth":
                assert name == "beacond-auth: auth"
