# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""How pytest runs the tests of regress/.

Each python test runs in a process of its own; each program in regress/unit
is run once, and every line that it prints is a test.  What a test started
ends with it, and a test that leaves something running has failed.

BEACOND_BUILD says where the programs are (default: build).
"""

import contextlib
import ctypes
import fcntl
import glob
import pickle
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import pytest
from _pytest.runner import runtestprotocol
from xdist.scheduler import LoadScopeScheduling

ROOT = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(ROOT, os.environ.get("BEACOND_BUILD", "build"))
os.environ["BEACOND_BUILD"] = BUILD
UNIT = os.path.join(ROOT, "regress", "unit")
SUFFIX = "[asan]" if "asan" in BUILD else ""
RESULT = re.compile(r"(not )?ok \w")

# Seconds: for all of a unit test program; for a test to clean up, once its
# own are over; for what it started to follow it.
UNIT_TIMEOUT = 120
GRACE = 10
SETTLE = 5

# What feeds the parsers and the packet path: also with the sanitizers.
SANITIZED = ("test_http", "test_websocket", "test_login", "test_mix",
    "test_metrics",
    "test_relay", "test_udp", "test_closing", "test_conformance")

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

sys.dont_write_bytecode = True


# A process of its own for each test.

def apart(do, bound):
    """Calls do() in another process, and ends that after bound seconds.

    Returns its status, as waitstatus_to_exitcode(), and what it left running,
    as a list of commands.  All of that is gone then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setsid()
            # Should pytest be killed: to clean up.
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            do()
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    try:
        fd = os.pidfd_open(pid)
        for signum, seconds in (signal.SIGTERM, bound), (signal.SIGKILL, GRACE):
            if select.select([fd], [], [], seconds)[0]:
                break
            os.kill(pid, signum)
        os.close(fd)
        status = os.waitpid(pid, 0)[1]
    finally:
        left = end_children()
    return os.waitstatus_to_exitcode(status), left


def end_children():
    """Kills what does not end by itself; returns the commands of that."""
    end = time.monotonic() + SETTLE
    killed = {}
    while have_children():
        if time.monotonic() > end:
            for pid in children():
                killed.setdefault(pid, command(pid))
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return list(killed.values())


def have_children():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        return True
    except ChildProcessError:
        return False


def children():
    pids = []
    for path in glob.glob("/proc/self/task/*/children"):
        with open(path) as f:
            pids += map(int, f.read().split())
    return pids


def command(pid):
    with open("/proc/%d/cmdline" % pid) as f:
        return f.read().replace("\0", " ").strip() or str(pid)


def prctl(option, value):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "prctl")


def pytest_configure():
    # What lost its parent becomes a child of this process.
    prctl(PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def turn(item):
    """Tests run side by side, but for those marked "alone"."""
    alone = item.get_closest_marker("alone") is not None
    with open(__file__) as f:
        fcntl.flock(f, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def pytest_timeout_set_timer(item, settings):
    """The bound is kept by the one that waits for the test."""
    item.bound = settings.timeout
    return None if item.config.getoption("usepdb") else True


def pytest_runtest_protocol(item, nextitem):
    if item.config.getoption("usepdb"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid,
        location=item.location)
    with turn(item):
        if isinstance(item, UnitTest):
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        else:
            reports = reports_from_apart(item)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid,
        location=item.location)
    return True


def reports_from_apart(item):
    start = time.monotonic()
    with tempfile.TemporaryFile() as results:
        status, left = apart(lambda: run(item, results),
            getattr(item, "bound", None))
        results.seek(0)
        text = results.read()
    hook = item.config.hook
    reports = [hook.pytest_report_from_serializable(config=item.config,
        data=data) for data in (pickle.loads(text) if text else [])]
    if status != 0 or not text:
        reports = [failure(item, "ended with status %d" % status,
            time.monotonic() - start)]
    for report in reports:
        if left and report.when == "call":
            report.outcome = "failed"
            report.longrepr = report.longrepr or "left something running"
            report.sections.append(("Left running", "\n".join(left)))
    return reports


def run(item, results):
    """What the process of a test does."""
    def expired(signum, frame):
        pytest.fail("took more than %g s" % item.bound)
    signal.signal(signal.SIGTERM, expired)
    reports = runtestprotocol(item, log=False, nextitem=None)
    hook = item.config.hook
    pickle.dump([hook.pytest_report_to_serializable(config=item.config,
        report=report) for report in reports], results)
    results.flush()


def failure(item, why, seconds=0):
    """For a test that cannot say itself what became of it."""
    capture = item.config.pluginmanager.getplugin("capturemanager")
    out, err = capture.read_global_capture()
    return pytest.TestReport(item.nodeid, item.location,
        {name: 1 for name in item.keywords}, "failed", why, "call",
        sections=[("Captured stdout call", out), ("Captured stderr call", err)],
        duration=seconds)


# The programs in regress/unit.

class UnitProgram(pytest.File):
    """The source of a program; its tests are what the program says."""

    outcome = None

    def collect(self):
        stem = self.path.relative_to(UNIT).with_suffix("")
        self.program = os.path.join(BUILD, "unit", stem)
        try:
            names = subprocess.run([self.program], check=True, text=True,
                env=dict(os.environ, UNIT_LIST="1"), stdout=subprocess.PIPE,
                timeout=UNIT_TIMEOUT).stdout.split()
        except (OSError, subprocess.SubprocessError) as e:
            raise self.CollectError(str(e))
        if not names:
            raise self.CollectError(self.program + " has no tests")
        for i, name in enumerate(names):
            yield UnitTest.from_parent(self, name=name + SUFFIX, test=name,
                index=i, last=i == len(names) - 1)

    def run(self):
        """Runs the program, the first time; returns its status, what it left
        running, its results (a list of lines) and what else it printed."""
        if self.outcome is None:
            with tempfile.TemporaryFile("w+", errors="replace") as out:
                status, left = apart(lambda: self.become(out), UNIT_TIMEOUT)
                out.seek(0)
                lines = out.read().split("\n")
            results = [line for line in lines if RESULT.match(line)]
            rest = [line for line in lines if not RESULT.match(line)]
            self.outcome = status, left, results, "\n".join(rest)
        return self.outcome

    def become(self, out):
        # What python ignores a program would ignore, too.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        os.execv(self.program, [self.program])


class UnitFailure(Exception):
    pass


class UnitTest(pytest.Item):
    """One line that a program prints."""

    def __init__(self, test, index, last, **kwargs):
        super().__init__(**kwargs)
        self.test = test
        self.index = index
        self.last = last
        self.add_marker("sanitized")
        self.add_marker(pytest.mark.timeout(2 * UNIT_TIMEOUT))

    def runtest(self):
        status, left, results, rest = self.parent.run()
        ended = "the program ended with status %d\n%s" % (status, rest)
        if self.index >= len(results):
            raise UnitFailure("did not run: " + ended)
        if results[self.index] != "ok " + self.test:
            raise UnitFailure(results[self.index] + "\n" + rest)
        # What is wrong with no test in particular shows at the last one.
        if self.last and left:
            raise UnitFailure("left running:\n" + "\n".join(left))
        if self.last and (len(results) != self.index + 1 or
                (status != 0 and all(r.startswith("ok ") for r in results))):
            raise UnitFailure("%d results; %s" % (len(results), ended))

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, UnitFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name


def pytest_collect_file(file_path, parent):
    if file_path.match(UNIT + "/*/*_test.c"):
        return UnitProgram.from_parent(parent, path=file_path)
    return None


# Which tests, in which order, and how many.

def pytest_generate_tests(metafunc):
    """Results of two builds are told apart by the names."""
    if SUFFIX:
        metafunc.fixturenames.append("build")
        metafunc.parametrize("build", [BUILD], ids=[SUFFIX.strip("[]")])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in SANITIZED:
            item.add_marker("sanitized")
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


class Scheduler(LoadScopeScheduling):
    """A python test at a time, a unit test program at a time."""

    def _split_scope(self, nodeid):
        program, _, name = nodeid.partition(".c::")
        return program if name else nodeid


def pytest_xdist_make_scheduler(config, log):
    return Scheduler(config, log)


def pytest_terminal_summary(terminalreporter, config):
    """Leaves "PASSED FAILED" for whoever adds up several runs."""
    if "BEACOND_TALLY" in os.environ and not hasattr(config, "workerinput"):
        stats = terminalreporter.stats
        # Nothing here is skipped: what was, is not tested.
        failed = sum(len(stats.get(kind, [])) for kind in
            ("failed", "error", "skipped", "xfailed", "xpassed"))
        with open(os.environ["BEACOND_TALLY"], "a") as f:
            f.write("%d %d\n" % (len(stats.get("passed", [])), failed))
