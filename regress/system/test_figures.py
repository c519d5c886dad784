# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Numbers that README has: what N peers take, and what a sandbox lets through."""

import contextlib
import os
import re

from beacon import IS_ROOT, Beacon, memory, wait_for
from client import login

README = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "README.md")


def figures():
    """The row of a table of that name: its numbers."""
    with open(README) as f:
        text = f.read().partition("## How much it takes")[2]
    return {name: [float(n.replace(",", "")) for n in
        re.findall(r"[\d][\d.,]*", rest)] for name, rest in
        re.findall(r"^\| ([\w ]+) \|(.*)\|$", text.partition("\n## ")[0],
            re.M)}


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


# Whoever is not root cannot look into the children.
if IS_ROOT:
    def test_descriptors_are_as_many_as_readme_says():
        fixed, = figures()["a worker"]
        for workers in 1, 3:
            with Beacon(workers=workers, udp=True) as b, \
                    contextlib.ExitStack() as stack:
                pids = [b.pid_of("worker", i) for i in range(workers)]
                for node in range(1, 13):
                    stack.enter_context(login(b, node))
                wait_for(lambda: sum(map(descriptors, pids)) ==
                    12 + workers * (fixed + workers + 2), 5,
                    "%d and 2 addresses: %s" % (fixed,
                        list(map(descriptors, pids))))

    def test_a_beacon_takes_no_more_memory_than_readme_says():
        base, each = figures()["the processes"]
        with Beacon(workers=2) as b:
            pids = [b.pid] + [c["pid"] for c in b.children() if c["pid"]]
            used = sum(memory(pid) for pid in set(pids))
            assert used < (base + 2 * each) * 1024, used


def calls(role):
    """Those that the sandbox of a role lets through."""
    found = set()
    for path in "common/sandbox_child.h", role + "/sandbox.c":
        with open(os.path.join(os.path.dirname(README), path)) as f:
            found |= set(re.findall(r"SANDBOX_ALLOW\d?\(\s*(\w+)", f.read()))
    return found


def test_the_sandboxes_have_as_many_calls_as_readme_says():
    with open(README) as f:
        said = re.search(r"seccomp: (\d+) calls for a worker, (\d+) for auth, "
            r"(\d+) for metrics", f.read())
    assert [int(n) for n in said.groups()] == [len(calls(role))
        for role in ("worker", "auth", "metrics")]
