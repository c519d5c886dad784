# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Every call that can fail is made to; a selection of what make check-faults
does."""

import os
import subprocess

import pytest

import calls
from beacon import BUILD, limit
from case import EVER, Running, Starting
from scene import Scene

PROGRAMS = ["beacond", "beacond-worker", "beacond-auth", "beacond-metrics"]


def imports(program):
    out = subprocess.run(["nm", "-D", "--undefined-only",
        os.path.join(BUILD, program)], check=True, text=True,
        stdout=subprocess.PIPE).stdout
    return {line.split()[1].split("@")[0] for line in out.splitlines()}


def test_every_call_of_every_program_is_in_the_list():
    known = {symbol for _, symbol, _ in calls.CALLS}
    known |= {name for names in calls.OTHER.values()
        for name in names.split()}
    for program in PROGRAMS:
        assert imports(program) - known == set(), program


def test_every_call_of_the_list_fails_or_has_a_reason_not_to():
    assert list(calls.ERRORS) == sorted(calls.NAMES)
    assert {name for name in calls.NAMES if not calls.ERRORS[name]} == \
        set(calls.NEVER)
    for name in calls.NAMES:
        for error in calls.ERRORS[name].split():
            assert calls.number(error) != 0


def test_nothing_is_in_the_list_that_nobody_calls():
    used = set().union(*map(imports, PROGRAMS))
    libev = {"eventfd", "sigaction"}
    assert {name for name, symbol, _ in calls.CALLS
        if symbol not in used} == libev
    other = {name for names in calls.OTHER.values()
        for name in names.split()}
    assert other - used == set()


# Each of them has cost something once, or is what machines run out of.
SOME = [
    Running("worker", "epoll_ctl", "ENOSPC", (1, 1, 20)),
    Running("worker", "malloc", "ENOMEM", (3, 7, EVER)),
    Running("worker", "accept4", "EMFILE", (1, 1, 20)),
    Running("worker", "sendmsg", "ENOBUFS", (1, 2, EVER)),
    Running("parent", "epoll_ctl", "ENOMEM", (3, 7, EVER)),
    Running("parent", "sendmsg", "ENOMEM", (3, 7, EVER)),
    Running("auth", "epoll_ctl", "ENOMEM", (1, 0, EVER)),
]


@limit(90)
def test_calls_that_fail_while_peers_talk():
    with Scene() as scene:
        for case in SOME:
            case.play(scene)
            assert case.failed > 0, "%s: never called" % case
            assert not case.lost, "%s: %s" % (case, case.lost)
            # Who is to try later is not told to go away.
            assert "auth failed" not in str(case.refused), case


@pytest.mark.parametrize("call, error, first, word", [
    ("getpwnam", "EMFILE", 1, "cannot be looked up: Too many open files"),
    ("open", "EMFILE", 3, "beacond-auth: Too many open files"),
    ("memfd_create", "ENOMEM", 1, "Cannot allocate memory"),
    ("fork", "EAGAIN", 1, "Resource temporarily unavailable"),
])
def test_a_start_that_fails_says_why(call, error, first, word):
    case = Starting("parent", call, error, (first, 0, EVER))
    lines = case.play()
    assert case.failed == 1 and not case.lost, case.lost
    assert any(word in line for line in lines), lines
