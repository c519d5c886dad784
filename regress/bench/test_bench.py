# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Neither slower than twice what is promised, nor other than what is kept."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def run(script, *options):
    done = subprocess.run([sys.executable, os.path.join(HERE, script),
        "--build", os.environ["BEACOND_BUILD"], *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, script


def test_instructions():
    run("instructions.py")


def test_ratios():
    run("bench.py", "--ci")


test_ratios.limit = 400
test_ratios.alone = True
