#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC
"""
Every system call that a process makes fails, by every error that it has, once
and again and again: while a scene is played (scene.py), and at the start.  And
each process is stopped, hangs, is killed in the middle of everything
(strike.py).  case.py says what must not be lost.  Prints what was, and a row
for each process.
"""

import argparse
import multiprocessing
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PARALLEL = 4        # it mostly waits
KINDS = ["running", "start", "struck", "taking"]
ROLES = ["parent", "worker", "auth", "metrics"]
HOWS = ["stop", "hang", "kill"]


def run_group(group):
    """All cases of one call: some need no scene of their own."""
    kind, role, call = group
    from case import ONCE, OFTEN, rows, start_rows
    from strike import strike_rows
    from taking import taking_rows
    if kind == "start":
        return group, start_all(start_rows(role, call, ONCE + OFTEN[1:]))
    if kind == "taking":
        return group, start_all(taking_rows(role, call))
    cases = rows(role, call, ONCE + OFTEN) if kind == "running" else \
        strike_rows(role, call)
    return group, play_all(cases, kind == "struck")


def play_all(cases, alone):
    """One after the other in a scene; alone: each in one of its own, since
    the one that keeps dying is started ever more slowly."""
    from scene import Scene
    done, scene, never = [], None, set()
    for case in cases:
        if (case.whom, case.error) in never:
            continue
        scene = scene or Scene()
        done.append(summary(case, lambda: case.play(scene.begun())))
        if case.failed == 0 and case.when[0] == 1:      # it is not called
            never.add((case.whom, case.error))
        if case.lost or alone:
            leave(scene)
            scene = None
    if scene is not None:
        leave(scene)
    return done


def start_all(cases):
    done, never = [], set()
    for case in cases:
        if (case.whom, case.error) in never:
            continue
        done.append(summary(case, case.play))
        if case.failed == 0 and case.when[0] == 1:
            never.add((case.whom, case.error))
    return done


def leave(scene):
    """Without a word more about what was lost already."""
    try:
        scene.__exit__(AssertionError)
    except (AssertionError, OSError):
        pass


def summary(case, play):
    """(what, calls that failed, seconds, sessions ended, lost)."""
    begin = time.monotonic()
    try:
        play()
    except Exception as why:        # pylint: disable=broad-except
        case.lost.append("%s: %s" % (type(why).__name__, why))
    return (str(case), case.failed, time.monotonic() - begin,
        len(case.ended), len(case.died), case.lost)


def report(results):
    """Prints a row for each process; returns how many cases lost."""
    print("%-17s %6s %6s %7s %6s %6s %5s" % ("process", "calls", "cases",
        "failed", "ended", "died", "lost"))
    lost = 0
    for kind in KINDS:
        for role in ROLES:
            groups = [done for group, done in results
                if group[:2] == (kind, role)]
            if not groups:
                continue
            cases = [case for done in groups for case in done if case[1]]
            bad = sum(bool(case[5]) for case in cases)
            lost += bad
            print("%-17s %6d %6d %7d %6d %6d %5d" % (
                "%s, %s" % (role, kind),
                sum(any(case[1] for case in done) for done in groups),
                len(cases), sum(case[1] for case in cases),
                sum(case[3] for case in cases),
                sum(case[4] for case in cases), bad))
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--roles", default=",".join(ROLES))
    parser.add_argument("--calls", default="")
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    os.environ["BEACOND_BUILD"] = os.path.abspath(options.build)
    sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
    import calls
    names = options.calls.split(",") if options.calls else calls.NAMES
    groups = [(kind, role, call) for kind in options.kinds.split(",")
        for role in options.roles.split(",")
        for call in (HOWS if kind == "struck" else names)
        if kind == "struck" or calls.ERRORS[call]]
    results = []
    with multiprocessing.Pool(PARALLEL) as pool:
        for result in pool.imap_unordered(run_group, groups, chunksize=1):
            results.append(result)
            for case in result[1]:
                if case[5]:
                    print("lost: %s: %s" % (case[0], "; ".join(case[5])),
                        flush=True)
    sys.exit(1 if report(results) else 0)


if __name__ == "__main__":
    main()
