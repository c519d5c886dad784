# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Each fuzz target for some seconds, beginning with the seeds that are kept.

A seed is what reached something that no other did, or what a target once
found.  What is found now is printed as Base64, to be added to them.
"""

import glob
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 4


def fuzz(name, edges):
    """edges: that many at least are reached by the seeds alone."""
    program = os.path.join(os.environ["BEACOND_BUILD"], "fuzz", name)
    words = os.path.join(HERE, name + ".dict")
    with tempfile.TemporaryDirectory() as found:
        argv = [program, "-max_total_time=%d" % SECONDS, "-timeout=10",
            "-artifact_prefix=%s/" % found]
        if os.path.exists(words):
            argv.append("-dict=" + words)
        run = subprocess.run(argv + [found,
            os.path.join(HERE, "corpus", name)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
    print(run.stdout[-8000:])
    assert run.returncode == 0, run.returncode
    reached = int(re.search(r"INITED cov: (\d+)", run.stdout).group(1))
    assert reached >= edges, "the seeds reach %d edges" % reached


def test_channel():
    fuzz("channel", 280)


def test_conf():
    fuzz("conf", 280)


def test_frame():
    fuzz("frame", 370)


def test_http():
    fuzz("http", 250)


def test_keyfile():
    fuzz("keyfile", 100)


def test_login_reply():
    fuzz("login_reply", 19)


def test_metrics_request():
    fuzz("metrics_request", 60)


def test_move():
    fuzz("move", 1300)


def test_packet():
    fuzz("packet", 150)


def test_parent():
    fuzz("parent", 1800)


def test_proxy_header():
    fuzz("proxy_header", 90)


def test_registry():
    fuzz("registry", 650)


def test_registry_wire():
    fuzz("registry_wire", 125)


def test_router():
    fuzz("router", 380)


def test_session():
    fuzz("session", 1200)


def test_snapshot():
    fuzz("snapshot", 90)


def test_unpark():
    fuzz("unpark", 2300)


def test_ws_frame():
    fuzz("ws_frame", 90)


def test_every_target_is_run_and_has_seeds():
    for path in glob.glob(os.path.join(HERE, "*_fuzz.c")):
        name = os.path.basename(path)[:-len("_fuzz.c")]
        assert "test_" + name in globals(), name
        assert os.listdir(os.path.join(HERE, "corpus", name)), name
