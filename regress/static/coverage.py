#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What no test has run, from the counters that the programs have left.

Each program is looked at with its own counters: those of functions that have
the same name in another would be taken for its own.  A line has run if it has
in any of them.  Prints how many of each directory's have, writes the others to
BUILD/missed, and fails if those that must have 90 % have less.
"""

import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LEAST = {"worker": 90, "auth": 90, "common": 90, "parent": 90, "metrics": 0,
    "ctl": 0, "frame": 0}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True).stdout


def identity(text):
    """How a program and its counters say that they belong together."""
    match = re.search(r"(?:Build ID: |Binary IDs: \n)([0-9a-f]+)", text)
    return match and match.group(1)


def programs(build):
    """The path of each program that counts, by its identity."""
    found = {}
    for path, directories, names in os.walk(build):
        directories[:] = set(directories) - {"obj", "raw"}
        for name in names:
            name = os.path.join(path, name)
            if os.access(name, os.X_OK):
                found[identity(output("readelf", "-n", name))] = name
    return found


def lines(program, raw):
    """How often each line of the program ran, by file and number."""
    count = {}
    with tempfile.NamedTemporaryFile() as data:
        output("llvm-profdata", "merge", "-o", data.name, raw)
        text = output("llvm-cov", "export", "-format=lcov",
            "-instr-profile=" + data.name, program)
    for line in text.split("\n"):
        kind, _, rest = line.partition(":")
        if kind == "SF":
            name = os.path.relpath(rest, ROOT)
        elif kind == "DA":
            number, times = map(int, rest.split(",")[:2])
            count[name, number] = times
    return count


def counted(build, raw):
    """The same, of all programs."""
    total = collections.Counter()
    known = programs(build)
    files = [os.path.join(raw, name) for name in os.listdir(raw)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        shown = pool.map(lambda name: identity(output("llvm-profdata", "show",
            "--binary-ids", name)), files)
        pairs = [(known[i], name) for i, name in zip(shown, files)
            if i in known]
        for count in pool.map(lines, *zip(*pairs)):
            # A line of none is to be there as well.
            for line, times in count.items():
                total[line] += times
    return total


def by_file(total):
    """Of each file of ours its lines: the number, the text, how often it ran.

    Braces alone and directives are none.
    """
    numbers = collections.defaultdict(list)
    for name, number in sorted(total):
        if name.split("/")[0] in LEAST:
            numbers[name].append(number)
    for name in numbers:
        with open(os.path.join(ROOT, name)) as f:
            text = f.read().expandtabs(8).split("\n")
        yield name, [(n, text[n - 1], total[name, n]) for n in numbers[name]
            if re.match(r" *[^ #]*\w", text[n - 1])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--raw", required=True)
    args = parser.parse_args()
    ran, all_lines = collections.Counter(), collections.Counter()
    with open(os.path.join(args.build, "missed"), "w") as f:
        for name, rows in by_file(counted(args.build, args.raw)):
            directory = name.split("/")[0]
            all_lines[directory] += len(rows)
            ran[directory] += sum(times > 0 for _, _, times in rows)
            f.writelines("%s:%d:%s\n" % (name, number, text)
                for number, text, times in rows if times == 0)
    status = 0
    for directory, least in LEAST.items():
        percent = 100 * ran[directory] / max(all_lines[directory], 1)
        print("%-8s %5d of %5d lines run, %.1f %%%s" % (directory,
            ran[directory], all_lines[directory], percent,
            ", too few" if percent < least else ""))
        status |= percent < least
    print("those that no test runs: %s/missed" % args.build)
    return status


if __name__ == "__main__":
    sys.exit(main())
