#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
What the sandbox costs: runs rows of bench.py in turn with beacond as it is
shipped and with one that was built without it, and prints the ratio of CPU
time per packet, taken within each pair of runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = "window 1,|window 32, 1 KiB|500 pairs"


def run(build, result):
    """us per packet of each row."""
    subprocess.run([sys.executable, os.path.join(HERE, "bench.py"), "--build",
        build, "--pairs", "1", "--seconds", "1", "--rows", ROWS, "--json",
        result], check=True, stdout=subprocess.DEVNULL)
    with open(result) as f:
        return {row["name"]: row["beacond"][0]
            for row in json.load(f)["rows"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--without", default="build/nosandbox")
    parser.add_argument("--pairs", type=int, default=9)
    args = parser.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "row.json")
        for i in range(args.pairs):
            # Whoever goes second finds the machine warmer: they take turns.
            first, second = args.build, args.without
            if i % 2:
                first, second = second, first
            got = {first: run(first, result), second: run(second, result)}
            pairs.append((got[args.build], got[args.without]))
    for name in pairs[0][0]:
        ratios = [ours[name] / bare[name] for ours, bare in pairs]
        print("%-20s with/without %.3f (%.3f - %.3f)" % (name,
            statistics.median(ratios), min(ratios), max(ratios)))


if __name__ == "__main__":
    main()
