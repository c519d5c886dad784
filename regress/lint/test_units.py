# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""
Each file that has logic has a unit test of its own, which links that file and
what it calls (doc/hacking.md 2); those that have none are here, with the reason.
"""

import functools
import glob
import os
import subprocess

import pytest

from test_layers import BOUNDS, closure, graph, objects_of, symbols

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
ROLES = ["common", "parent", "worker", "auth", "metrics"]

# Tested by a test of another name, as they are one thing with its file.
ELSEWHERE = {
    "auth/from_parent": "dispatch",     # the whole of auth, from its ends
    "auth/from_worker": "dispatch",
    "auth/from_parent_registry": "registry",
    "auth/from_registry": "registry",
    "common/event_text": "event",       # the line of one
    "common/imsg_send": "imsg",         # the other end of it
    "common/log_fields": "event",       # what that line is made of
    "parent/ping": "supervise",         # who is asked, and ends
    "parent/conf_address": "conf",      # a text goes in, a config comes out
    "parent/conf_host": "conf",
    "parent/conf_lex": "conf",
    "parent/conf_parse": "conf",
    "parent/conf_print": "conf",
    "parent/conf_source": "conf_file",
    "parent/conf_suggest": "conf",
    "parent/conf_table": "conf",
    "parent/conf_value": "conf",
    "parent/from_auth": "from_child",   # a table and what it calls
    "parent/from_worker": "from_child",
    "parent/gossip_send": "gossip",     # Syncs, in and out
    "parent/newfile": "block_file",     # written and read by it
    "parent/unpark_batch": "unpark",    # who makes one after the other
    "parent/unpark_map": "park_map",    # what that has written
    "worker/from_parent_router": "from_parent", # whose table it is of
    "worker/measure": "timer",          # which sets it going
    "parent/resolver": "resolve",       # a process of its own
    "parent/resolver_sandbox": "resolve",
    "worker/outq_progress": "outq_pace", # when it is asked
    "worker/router": "router_recv",     # the other direction
    "parent/sandbox_files": "sandbox",  # what it allows is what that needs
}

# Whose logic is what they make of others, or of the kernel: the programs' own
# tests show it.
BY_PROGRAMS = {
    "worker/report": "a table, whose lines regress/system/test_events.py reads",
    "auth/check": "what keyfile says, and a status: test_check.py",
    "auth/main": "puts the rest together",
    "metrics/main": "puts the rest together",
    "parent/check": "users that are there, and auth's program: test_check.py",
    "parent/main": "puts the rest together",
    "worker/main": "puts the rest together",
    "parent/from_ctl_block": "a request, a call, an answer",
    "parent/from_ctl_park": "descriptors for a service manager: test_successor.py",
    "parent/from_ctl_take": "and for another parent: test_successor.py",
    "common/self": "what the kernel says of a process, which /proc is asked for",
    "parent/from_metrics": "a table of two lines",
    "parent/drain": "three timers, and the end of the program: test_drain.py",
    "parent/from_router": "two lines of a table, answered by what others know",
    "parent/local_socket": "a socket, or the end of the program",
    "parent/router": "descriptors for real workers and a real program",
    "parent/listen_change": "test_relisten.py: sockets that come and go",
    "parent/reload_listen": "likewise",
    "parent/privs": "rights that only root has to give away",
    "parent/roles": "a table",
    "parent/spawn": "fork and exec of the real programs",
}

# Files of a role that a test may be linked with, that of its name among them.
FEW = 12

# Tests that are of no single file: they play the whole role, or a part of it
# that is one thing; or the file's own needs are too many for one program.
WHOLE = {"auth/dispatch", "auth/many", "auth/registry", "auth/warm",
    "parent/conf", "parent/conf_file", "parent/from_child", "parent/gossip",
    "parent/sandbox",
    "worker/answers", "worker/outq_control", "worker/outq_pace",
    "common/imsg_fd", "metrics/manual"}

# A file's second test, as one would be too long.
SECOND = {"common/channel_send": "channel",
    "worker/accept_listener": "accept", "worker/login_nonces": "login",
    "worker/session_frame_text": "session_frame"}


@functools.lru_cache()
def links():
    """{"ROLE/TEST": the files that it is linked with, as "ROLE/FILE"}."""
    clean = {key: value for key, value in os.environ.items()
        if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    lines = subprocess.run(["make", "-s", "unit-links"], cwd=ROOT, env=clean,
        stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {test.strip(): {os.path.splitext(name)[0]
        for name in files.split()} for test, files in
            (line.split(":") for line in lines)}


def files_of(role):
    return {role + "/" + os.path.splitext(os.path.basename(path))[0]
        for path in glob.glob(os.path.join(ROOT, role, "*.c"))}


def test_each_file_has_a_test_or_a_reason():
    files = set().union(*map(files_of, ROLES))
    tests = set(links())
    others = set(ELSEWHERE) | set(BY_PROGRAMS)
    assert sorted(files - tests - others) == []
    # And none of the reasons is of yesterday.
    assert others <= files
    assert sorted(others & tests) == []
    assert WHOLE <= tests


def test_a_test_has_the_file_that_it_is_of():
    """What is of common/ comes with the library."""
    found = []
    for name, test in ELSEWHERE.items():
        role = os.path.dirname(name)
        if role != "common" and name not in links()[role + "/" + test]:
            found.append("%s is not in %s_test" % (name, test))
    for test, files in links().items():
        if os.path.exists(os.path.join(ROOT, test + ".c")) and \
                not test.startswith("common/") and test not in files:
            found.append("%s is not in its test" % test)
    assert found == []


@pytest.mark.parametrize("role", ["parent", "worker", "auth", "metrics"])
def test_a_test_links_what_it_and_its_file_call_and_no_more(role):
    objects = objects_of(role)
    unit = os.path.join(os.environ["BEACOND_BUILD"], "obj/regress/unit")
    found = []
    tests = {test: os.path.join(unit, test + "_test.o") for test in links()
        if test.startswith(role + "/") and test not in WHOLE}
    of_tests = symbols(tests.values())
    for test, path in tests.items():
        name, files = SECOND.get(test, test.split("/")[1]), links()[test]
        has, needs = of_tests[path]
        calls = graph({**objects, "test": (set(), needs)})
        # What the test has is its own, whoever else has it.
        for called in calls.values():
            called -= {other for other in called
                if objects[other][0] <= has}
        linked = set(map(os.path.basename, files))
        if not linked <= {name} | closure(calls, "test") | \
                closure(calls, name):
            found.append("%s: %s" % (test, " ".join(sorted(linked))))
        if len(linked) > FEW:
            found.append("%s: %d files" % (test, len(linked)))
    assert found == []


def test_what_lies_low_is_tested_with_little():
    """The bounds of test_layers.py are those of the tests, too."""
    for name, most in BOUNDS.items():
        assert len(links()["worker/" + name]) <= most + 1, name
