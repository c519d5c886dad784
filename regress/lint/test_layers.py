# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""
Calls go down: the graph of who calls whom, of the objects of each role, as the
linker sees it (doc/architecture.md 9).
"""

import fnmatch
import glob
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
ROLES = ["parent", "worker", "auth", "metrics", "ctl", "common"]

# How many objects of its role a file of a worker may need.
BOUNDS = {"outq": 5, "session": 10, "relay": 24}


def symbols(paths):
    """{object: (what it has, what it needs from others)}, by one nm for all."""
    found = {path: (set(), set()) for path in paths}
    for line in subprocess.run(["nm", "-A", *paths], stdout=subprocess.PIPE,
            text=True, check=True).stdout.splitlines():
        path, _, rest = line.partition(":")
        *_, kind, name = rest.split()
        if kind == "U":
            found[path][1].add(name)
        elif kind in "TDBRVWC":
            found[path][0].add(name)
    return found


def graph(objects):
    """Which other objects each calls, of {name: (has, needs)}."""
    owner = {symbol: name for name, (has, _) in objects.items()
        for symbol in has}
    return {name: {owner[symbol] for symbol in needs if symbol in owner} -
        {name} for name, (_, needs) in objects.items()}


def objects_of(role):
    directory = os.path.join(os.environ["BEACOND_BUILD"], "obj", role)
    names = {os.path.splitext(os.path.basename(path))[0]
        for path in glob.glob(os.path.join(ROOT, role, "*.c"))}
    assert names, role
    found = symbols([os.path.join(directory, name + ".o") for name in names])
    return {os.path.splitext(os.path.basename(path))[0]: of
        for path, of in found.items()}


def of_role(role):
    return graph(objects_of(role))


def closure(calls, name):
    """All that an object cannot be linked without."""
    found, todo = set(), [name]
    while todo:
        more = calls[todo.pop()] - found
        found |= more
        todo += more
    return found


def in_circles(calls):
    return sorted(name for name in calls if name in closure(calls, name))


def test_a_circle_is_seen():
    calls = graph({"a": ({"fa"}, {"fb", "puts"}), "b": ({"fb"}, {"fc"}),
        "c": ({"fc"}, {"fb"}), "d": ({"fd"}, set())})
    assert calls == {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert in_circles(calls) == ["b", "c"]
    assert closure(calls, "a") == {"b", "c"}


@pytest.mark.parametrize("role", ROLES)
def test_calls_go_down(role):
    calls = of_role(role)
    found = in_circles(calls)
    assert not found, "\n".join("%s/%s.c calls %s" % (role, name,
        " ".join(sorted(calls[name] & set(found)))) for name in found)


def floors(role):
    """What the document lets stand where: [[name or pattern]], from the top."""
    with open(os.path.join(ROOT, "doc/architecture.md")) as f:
        text = f.read().split("## 9. ")[1].split("\n## ")[0]
    lines = re.search(r"^    %s/(( +\S.*\n)+)" % role, text, re.M)[1]
    return [re.split(r" {3,}", line.strip())[0].split()
        for line in lines.splitlines()]


def floor_of(plan, name):
    """By its name; else by the first pattern that it matches."""
    for match in (str.__eq__, fnmatch.fnmatchcase):
        for number, floor in enumerate(plan):
            if any(match(name, word) for word in floor):
                return number
    return None


@pytest.mark.parametrize("role", ["parent", "worker", "auth", "metrics"])
def test_the_document_says_where_a_file_stands(role):
    plan, calls = floors(role), of_role(role)
    assert [word for floor in plan for word in floor
        if not fnmatch.filter(calls, word)] == []
    stands = {name: floor_of(plan, name) for name in calls}
    assert [name for name in stands if stands[name] is None] == []
    assert [(name, other) for name in calls for other in calls[name]
        if stands[other] < stands[name]] == []


def test_what_lies_low_needs_little():
    calls = of_role("worker")
    found = {name: sorted(closure(calls, name)) for name in BOUNDS}
    assert {name: needs for name, needs in found.items()
        if len(needs) > BOUNDS[name]} == {}


def test_the_relay_and_sessions_meet_in_two_functions():
    """A frame goes down; what a peer has sent comes up."""
    objects = objects_of("worker")
    sessions = set().union(*(has for name, (has, _) in objects.items()
        if name.startswith("session") or name in ("gather", "outq", "broken",
            "wheel", "inbound", "login")))
    assert objects["relay"][1] & sessions == {"session_write_frame"}
    assert {name for name, (_, needs) in objects.items()
        if "relay_upper" in needs} == {"from_parent"}
