# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Neither slower than twice what is promised, nor other than what is kept."""

import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def run(script, *options):
    done = subprocess.run([sys.executable, os.path.join(HERE, script),
        "--build", os.environ["BEACOND_BUILD"], *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, script


def test_instructions():
    run("instructions.py")


@pytest.mark.timeout(400)
@pytest.mark.alone
def test_ratios():
    run("bench.py", "--ci")
