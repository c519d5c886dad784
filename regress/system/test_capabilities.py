# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Started as root that is not all-powerful, as in a container."""

import os

import pytest

from beacon import IS_ROOT
from client import login
from test_inherited import Heir, status
from udp import Udp

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="it takes root to be less")

# What the parent keeps; without it there are no children of other users.
KEPT = ["setuid", "setgid", "sys_chroot", "kill"]
CAPS = {"kill": 5, "setgid": 6, "setuid": 7, "sys_chroot": 18}


def bounded(*caps):
    return ["setpriv", "--bounding-set=-all" + "".join(
        ",+" + cap for cap in caps)]


def starts(before):
    with Heir(before, udp=True) as b, login(b, 1), Udp(b.udp_port, 5) as u:
        u.join(b)
        for pid in b.processes():
            assert status(pid, "CapEff") == status(pid, "CapPrm")
        kept = sum(1 << CAPS[cap] for cap in KEPT)
        assert int(status(b.pid, "CapEff"), 16) == kept
        # What it owns; and what it does as that user.
        assert os.stat(b.socket).st_mode & 0o777 == 0o660
        b.ctl("reload", text=True)
        b.wait_new("worker", b.kill("worker"))


def test_all_of_them_but_to_drop_others():
    starts(["setpriv", "--bounding-set=-setpcap"])


def test_no_more_than_what_is_kept():
    starts(bounded(*KEPT))


def test_no_more_than_what_is_kept_and_a_low_port():
    with Heir(bounded("net_bind_service", *KEPT), conf=(
            "listen on 127.0.0.77 port 77"), listen=False) as b:
        assert b.port == 77
        assert not any(int(status(pid, "CapEff"), 16) & 1 << 10
            for pid in b.processes())


@pytest.mark.parametrize("missing", KEPT)
def test_less_than_that_is_told(missing):
    b = Heir(bounded(*(cap for cap in KEPT if cap != missing)))
    try:
        b.launch()
        assert b.proc.wait(20) == 1
        b.wait_line("give it .*CAP_%s" % missing.upper())
    finally:
        b.clean_up()


def test_control_socket_where_only_root_may_write_is_told():
    b = Heir(bounded(*KEPT))
    try:
        os.chown(b.directory, 0, 0)
        b.launch()
        assert b.proc.wait(20) == 1
        b.wait_line("control socket .*: Permission denied")
    finally:
        b.clean_up()
