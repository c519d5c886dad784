#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Counts beacond's own instructions per packet and per login under callgrind and
compares them with those in instructions.txt.
"""

import argparse
import glob
import os
import platform
import re
import subprocess
import sys
import tempfile

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "instructions.txt")
LIMIT = 3  # per cent, either way
# What is learned costs no login more than this, against a key of the file.
LEARNED, LEARNED_LIMIT = "login, auth, key of the registry", 2
FROM_FILE = "login, auth"

# The C library and libsodium choose their code by what the processor can do;
# without this the counts would be the machine's.
PLAIN = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,"
         "-AVX512VL,-AVX2,-ERMS,-FSRM")


def totals(folder):
    """Instructions of each dump, under the name that the program gave it."""
    found = {}
    for path in glob.glob(os.path.join(folder, "callgrind.*")):
        with open(path) as f:
            text = f.read()
        name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
        if name and total:
            found[name[1]] = int(total[1])
    return found


def count(program):
    """The compiler, and instructions per packet by row, in their order."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        run = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
             "--callgrind-out-file=" + os.path.join(folder, "callgrind"),
             os.path.abspath(program)],
            stdout=subprocess.PIPE, text=True, check=True,
            env={**os.environ, PLAIN[0]: PLAIN[1]}, cwd=folder)
        total = totals(folder)
    by, *lines = run.stdout.splitlines()
    rows = {}
    for line in lines:
        name, units = line.split("\t")
        rows[name] = total[name] / int(units)
    return f"{by.strip()}, {platform.machine()}", rows


def read():
    """The compiler and the rows that are kept."""
    rows, by = {}, None
    with open(KEPT) as f:
        for line in f:
            if line.startswith("# compiler: "):
                by = line.split(": ", 1)[1].strip()
            elif not line.startswith("#"):
                name, instructions = line.rstrip("\n").split("\t")
                rows[name] = float(instructions)
    return by, rows


def write(by, rows):
    with open(KEPT, "w") as f:
        f.write("# Instructions per packet (login: per login), beacond's own "
                "and its libraries'.\n"
                "# Written by \"make bench-instructions-update\".\n"
                f"# compiler: {by}\n")
        for name, instructions in rows.items():
            f.write(f"{name}\t{instructions:.1f}\n")


def compare(kept, rows):
    """Prints the table; returns the rows that differ by more than LIMIT."""
    bad = [name for name in kept if name not in rows]
    for name in bad:
        print(f"{name:34} is not counted any more")
    print(f"{'instructions per packet':34} {'kept':>10} {'now':>10}")
    for name, now in rows.items():
        if name not in kept:
            print(f"{name:34} {'-':>10} {now:10.1f}  not kept yet")
            bad.append(name)
            continue
        change = 100 * (now / kept[name] - 1)
        mark = ""
        if abs(change) > LIMIT:
            mark = "  DIFFERS"
            bad.append(name)
        print(f"{name:34} {kept[name]:10.1f} {now:10.1f} {change:+7.2f} %"
              f"{mark}")
    more = 100 * (rows[LEARNED] / rows[FROM_FILE] - 1)
    print(f"{LEARNED}: {more:+.2f} % against {FROM_FILE}")
    if more > LEARNED_LIMIT:
        bad.append(f"{LEARNED} against {FROM_FILE}")
    return bad


def main():
    parser = argparse.ArgumentParser(description="beacond's instructions")
    parser.add_argument("--build", default="build")
    parser.add_argument("--update", action="store_true",
                        help="keep what is counted now")
    options = parser.parse_args()
    by, rows = count(os.path.join(options.build, "bench", "instructions"))
    if options.update:
        write(by, rows)
        print(f"{os.path.relpath(KEPT)} is of today")
        return 0
    kept_by, kept = read()
    bad = compare(kept, rows)
    if by != kept_by:
        print(f"kept for {kept_by}, this is {by}: not judged")
        return 0
    if bad:
        print(f"more than {LIMIT} % away: {'; '.join(bad)}\n"
              "If that is meant, and worth it: "
              "make bench-instructions-update")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
