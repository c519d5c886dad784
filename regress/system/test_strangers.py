# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Connections that have not logged in cost those who do nothing."""

import os
import signal

from beacon import Beacon, wait_for
from client import Client, login, request

SOCKETS = 256 - 64      # that a worker of so few descriptors holds


def test_without_auth_the_101_comes_first_or_a_503():
    """Also when as many as there are places wait for a challenge."""
    with Beacon("source upgrade limit 0", workers=1, nofile=256) as b:
        auth = b.pid_of("auth")
        os.kill(auth, signal.SIGSTOP)
        try:
            # 256 challenges may be in hand; who leaves keeps its place.
            for _ in range(256 + SOCKETS + 1):
                status = status_of_upgrade(b)
                if status != 101:
                    break
            assert status == 503, status
            assert b.metric("wss_refused", reason="busy") == 1
        finally:
            os.kill(auth, signal.SIGCONT)
        wait_for(lambda: status_of_upgrade(b) == 101)
        login(b, 1).close()


def status_of_upgrade(beacon):
    with Client(beacon.port) as client:
        client.send(request())
        return client.answer().status
