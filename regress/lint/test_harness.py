# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What conftest.py promises of every test."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from beacon import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SLEEP = "sleep 1000%d" % os.getpid()     # of no other process


def run(python="", *options, unit=None):
    """Runs pytest on one module, or on one unit test program (a script).

    Returns what it printed and the numbers of passed and failed tests.
    """
    with module(python) as directory:
        tally = os.path.join(directory, "tally")
        if unit is not None:
            write(directory, "regress/unit/role/it_test.c", "")
            write(directory, "build/unit/role/it_test", "#!/bin/sh\n" + unit)
        done = subprocess.run([sys.executable, "-m", "pytest", "-q",
            *options], cwd=directory, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ,
                BEACOND_BUILD="build", BEACOND_TALLY=tally))
        print(done.stdout)
        with open(tally) as f:
            passed, failed = map(int, f.read().split())
    return done.stdout, passed, failed


@contextlib.contextmanager
def module(python):
    """A directory with one module of tests."""
    with tempfile.TemporaryDirectory() as directory:
        for name in "conftest.py", "pytest.ini":
            shutil.copy(os.path.join(ROOT, name), directory)
        write(directory, "regress/test_it.py", python)
        yield directory


def write(directory, name, text):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)


def is_running():
    return subprocess.run(["pgrep", "-f", SLEEP],
        stdout=subprocess.DEVNULL).returncode == 0


def test_a_test_that_takes_too_long_ends_and_cleans_up():
    out, passed, failed = run("""
import pytest, time
@pytest.mark.timeout(1)
def test_hangs():
    try:
        time.sleep(1000)
    finally:
        print("cleaned up")
def test_other():
    pass
""")
    assert (passed, failed) == (1, 1)
    assert "took more than 1 s" in out and "cleaned up" in out


def test_what_a_test_leaves_is_ended_and_is_a_failure():
    out, passed, failed = run("""
import subprocess
def test_leaves():
    subprocess.Popen(["setsid", "sh", "-c", "%s & wait"])
""" % SLEEP)
    assert (passed, failed) == (0, 1)
    assert "left something running" in out and SLEEP in out
    assert not is_running()


def test_a_test_cleans_up_if_pytest_is_killed():
    with module("""
import subprocess
def test_it():
    sleep = subprocess.Popen("%s".split())
    try:
        sleep.wait()
    finally:
        sleep.kill()
""" % SLEEP) as directory:
        pytest = subprocess.Popen([sys.executable, "-m", "pytest"],
            cwd=directory, stdout=subprocess.DEVNULL)
        wait_for(is_running, 30)
        pytest.kill()
        wait_for(lambda: not is_running(), 10)
        pytest.wait()


def test_a_test_that_dies_is_a_failure():
    out, passed, failed = run("""
import os, signal
def test_dies():
    os.write(1, b"last words\\n")
    os.kill(os.getpid(), signal.SIGKILL)
def test_leaves_early():
    os._exit(0)
def test_other():
    pass
""")
    assert (passed, failed) == (1, 2)
    assert "status -9" in out and "last words" in out


def test_a_test_sees_nothing_of_another():
    out, passed, failed = run("""
import os, pytest
@pytest.mark.parametrize("i", range(6))
def test_it(i):
    assert os.environ.setdefault("MINE", str(i)) == str(i)
    assert os.getsid(0) == os.getpid()
""")
    assert (passed, failed) == (6, 0)


def test_one_that_is_alone_runs_last_and_with_no_other():
    out, passed, failed = run("""
import glob, os, pytest, time
def running(name):
    with open(name + ".begun", "w"):
        time.sleep(0.5)
    os.rename(name + ".begun", name + ".over")
@pytest.mark.alone
@pytest.mark.parametrize("i", range(2))
def test_alone(i):
    assert not glob.glob("*.begun")
    assert len(glob.glob("usual*.over")) == 4
    running("alone%d" % i)
@pytest.mark.parametrize("i", range(4))
def test_usual(i):
    running("usual%d" % i)
""", "-n", "2")
    assert (passed, failed) == (6, 0)


def test_each_line_of_a_program_is_a_test():
    names = "[ -n \"$UNIT_LIST\" ] && { echo one; echo two; exit 0; }\n"
    out, passed, failed = run(unit=names + "echo ok one; echo ok two")
    assert (passed, failed) == (2, 0)
    out, passed, failed = run(
        unit=names + "echo ok one; echo not ok two: x; exit 1")
    assert (passed, failed) == (1, 1) and "not ok two: x" in out
    out, passed, failed = run("", "-k", "two", unit=names + "echo ok one")
    assert (passed, failed) == (0, 1) and "did not run" in out


def test_a_program_that_ends_badly_is_a_failure():
    names = "[ -n \"$UNIT_LIST\" ] && { echo one; echo two; exit 0; }\n"
    for unit, passes in (("echo ok one; kill -SEGV $$", 1),
            ("echo ok one; echo ok two; exit 1", 1),
            ("echo ok one; echo ok two; echo ok three", 1),
            ("echo ok one; echo ok two; " + SLEEP + " &", 1)):
        out, passed, failed = run(unit=names + unit)
        assert (passed, failed) == (passes, 1), unit
        assert not is_running()
    assert run(unit="exit 0")[1:] == (0, 1)
    assert run(unit="exit 1")[1:] == (0, 1)


def test_a_module_that_cannot_be_read_is_a_failure():
    assert run("import nothing_of_that_name")[1:] == (0, 1)


def test_what_is_skipped_has_not_passed():
    assert run("""
import pytest
def test_it():
    pytest.skip("not today")
""", "-rs")[1:] == (0, 1)
