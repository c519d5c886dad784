# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What whoever builds and packages it relies on."""

import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BEACOND_BUILD", "build")


def make(*args, ok=True, **env):
    """The output of make, on its own and not a part of one that runs."""
    clean = {key: value for key, value in os.environ.items()
        if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "WERROR",
            "CFLAGS", "CPPFLAGS", "LDFLAGS")}
    run = subprocess.run(["make", "--no-print-directory", *args], cwd=ROOT,
        env={**clean, **env}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert (run.returncode == 0) == ok, run.stdout
    return run.stdout


def command(*args, **env):
    """How one file would be compiled."""
    with tempfile.TemporaryDirectory() as build:
        output = make("-n", "V=1", "BUILD=" + build,
            build + "/obj/common/bytes.o", *args, **env)
    return next(line for line in output.split("\n")
        if line.endswith(" common/bytes.c")).split()


def test_flags_of_the_user_come_behind_and_take_nothing_away():
    for given in ({"args": ["CFLAGS=-O3 -fno-plt"]},
            {"CFLAGS": "-O3 -fno-plt"}):
        flags = command(*given.pop("args", []), **given)
        ours = flags.index("-fstack-protector-strong")
        assert flags.index("-O3") > max(ours, flags.index("-O2"))
        assert "-fstack-clash-protection" in flags
        assert "-D_FORTIFY_SOURCE=2" in flags
    output = make("-n", "V=1", "-W", "GNUmakefile", "LDFLAGS=-Wl,-O1", "all",
        "BUILD=/nonexistent")
    link = next(line for line in output.split("\n")
        if " -o /nonexistent/beacond " in line)
    assert "-z,relro,-z,now" in link.split(" -Wl,-O1")[0], link


def test_another_level_of_fortification_takes_the_place_of_ours():
    with tempfile.TemporaryDirectory() as build:
        make("BUILD=" + build, "WERROR=1", "CPPFLAGS=-D_FORTIFY_SOURCE=3",
            build + "/obj/common/bytes.o")


def test_warnings_are_errors_for_those_who_want_it():
    assert "-Werror" not in command()
    assert "-Werror" in command("WERROR=1")


def test_a_missing_library_is_named_with_its_package():
    with tempfile.TemporaryDirectory() as build:
        output = make("BUILD=" + build, build + "/obj/common/bytes.o",
            ok=False, PKG_CONFIG_LIBDIR=build)
    assert "libbsd-overlay is missing: apt-get install libbsd-dev" in output


def installed(root):
    return sorted(os.path.join(path, name)[len(root):]
        for path, _, names in os.walk(root) for name in names)


def test_another_prefix_is_all_that_is_installed_speaks_of():
    with tempfile.TemporaryDirectory() as root:
        where = ["BUILD=" + os.path.relpath(BUILD, ROOT), "DESTDIR=" + root,
            "PREFIX=/opt/there", "-o", "all"]
        make("install", *where)
        files = installed(root)
        assert {"/opt/there/sbin/beacond", "/opt/there/bin/beaconctl",
            "/opt/there/libexec/beacond/beacond-worker",
            "/opt/there/libexec/beacond/beacond-auth",
            "/opt/there/share/man/man8/beacond.8",
            "/opt/there/share/man/man5/beacond.conf.5",
            "/opt/there/share/man/man7/beacond-keys.7",
            "/opt/there/share/bash-completion/completions/beaconctl",
            "/opt/there/share/zsh/site-functions/_beaconctl",
            "/opt/there/share/beacond/frame/python/beacond_frame.py",
            "/opt/there/share/beacond/frame/go/go.mod",
            "/opt/there/share/beacond/frame/go/cmd/relay/main.go",
            "/opt/there/share/examples/beacond/beacond.service"} <= set(files)
        for name in files:
            if "/share/" in name:
                with open(root + name) as f:
                    assert "/usr/local" not in f.read(), name
        make("uninstall", *where)
        assert installed(root) == []
