#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Checks the model of how sessions move (README.md) with spin(1).

Without arguments: the large configurations, half an hour of them.  With arguments:
that configuration, as PLAN=1 SENDERS=4 READS=2 LOGIN=7, and what happens in
the counterexample, if there is one.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "move.pml")

# What the protocol must stand, small enough for each "make test".
HOLDS = (
    "PLAN=1 SENDERS=4 READS=2 PACKETS=1 DIES=7",
    "PLAN=1 SENDERS=1 READS=1 PACKETS=1 LOGIN=7",
    "PLAN=2 SENDERS=4 READS=1 PACKETS=1 DROP CANCEL HANGUP",
    "PLAN=2 SENDERS=2 READS=1 PACKETS=2 BLOCK REFUSE=4",
    "PLAN=3 SENDERS=4 READS=1 PACKETS=1",
    "PLAN=1 SENDERS=8 READS=1 PACKETS=1 BIRTH",
    "PLAN=9 SENDERS=4 READS=0 PACKETS=1 GIVEUP HURRY",
)

# What it must not do without, and where that is seen.
ONE = "PLAN=1 SENDERS=4 READS=2 "
BREAKS = (
    "NO_MARK " + ONE,
    "NO_FENCE " + ONE,
    "NO_HOLD " + ONE,
    "NO_REST " + ONE,
    "NO_THAW CANCEL " + ONE,
    "NO_GENERATION LOGIN=7 " + ONE,
    "NO_TOLD DROP " + ONE,
    "NO_END DIES=4 " + ONE,
    "NO_SECOND_LOOK BLOCK " + ONE,
    "WRONG_CLOSE HANGUP " + ONE,
    "WRONG_EARLY " + ONE,
    "WRONG_READ " + ONE,
    "WRONG_STUB LOGIN=7 " + ONE,
    "WRONG_WAIT BIRTH PLAN=1 SENDERS=0",
    "WRONG_BORN BIRTH PLAN=1 SENDERS=8 PACKETS=1",
    "NO_FINISH HURRY PLAN=9",
    "WRONG_ONWARD PLAN=3 SENDERS=4 READS=2",
)

# An event each, and pairs of them, in all plans.
EVENTS = ("DIES=7", "LOGIN=7", "DROP", "BLOCK", "HANGUP", "CANCEL", "GIVEUP",
    "HURRY", "REFUSE=1")
PAIRS = ("LOGIN=7 DROP", "LOGIN=7 CANCEL", "LOGIN=7 HANGUP", "DROP HANGUP",
    "DROP CANCEL", "DIES=7 DROP", "DIES=7 CANCEL", "DIES=7 LOGIN=7",
    "DIES=12 BIRTH", "BLOCK HANGUP", "BLOCK CANCEL")


def large():
    for event, senders in itertools.product(("",) + EVENTS, (1, 2, 4)):
        for plan in (1, 2):
            yield f"PLAN={plan} SENDERS={senders} READS=2 {event}"
        for plan in (3, 4):
            yield f"PLAN={plan} SENDERS={senders} READS=1 PACKETS=1 {event}"
    for event, senders in itertools.product(PAIRS, (1, 2, 4)):
        yield f"PLAN=1 SENDERS={senders} READS=1 PACKETS=1 {event}"
    for plan in (5, 6, 7, 8, 9):
        yield f"PLAN={plan} SENDERS=4 READS=1 PACKETS=1"
        yield f"PLAN={plan} SENDERS=2 READS=1 PACKETS=1 DROP"
    yield "PLAN=1 SENDERS=3 READS=1"
    yield "PLAN=1 SENDERS=5 READS=1"


def defines(config):
    return ["-D" + word for word in config.split()]


def build(config, where, options):
    done = subprocess.run(["spin", "-a", *defines(config), MODEL], cwd=where,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    subprocess.run(["/usr/bin/gcc", "-w", "-DSAFETY", *options, "-o", "pan",
        "pan.c"], cwd=where, check=True)


def check(config, options=("-O0",), show=False):
    """Returns how many states it has, and the assertion that fails or ""."""
    with tempfile.TemporaryDirectory() as where:
        build(config, where, options)
        out = subprocess.run(["./pan", "-m10000", "-w20"], cwd=where,
            stdout=subprocess.PIPE, text=True).stdout
        states = re.search(r"(\d\S*) states, stored", out)
        failed = re.search(r"^pan:1: (.*)", out, re.MULTILINE)
        assert states and "depth too small" not in out, out
        assert failed or "not completed" not in out, out
        if failed and show:
            subprocess.run(["spin", "-t", "-p", "-g", *defines(config), "-k",
                "move.pml.trail", MODEL], cwd=where)
        return float(states.group(1)), failed.group(1) if failed else ""


def main():
    configs = [" ".join(sys.argv[1:])] if sys.argv[1:] else large()
    bad = 0
    for config in configs:
        states, failed = check(config, ("-O1", "-DCOLLAPSE",
            "-DMEMLIM=8000"), bool(sys.argv[1:]))
        print(f"{states:10.0f} states  {config}  {failed}", flush=True)
        bad += failed != ""
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
