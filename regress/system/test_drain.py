# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""An end without a stampede: who is told when, and how evenly."""

import os
import signal
import time

from beacon import Beacon, limit, wait_for
from client import Client, login, request


def status_of(b, path, **how):
    with Client(b.port) as client:
        client.send(request(path, **how))
        return client.answer().status


def health(b):
    return status_of(b, "/health", upgrade=False)


def upgrade(b):
    return status_of(b, "/v1/compat")


def ends(b, bound=10.0):
    """It ends by itself, and well."""
    b.note_children()
    b.ends(bound)


def closes(peers, bound):
    """When each of them was closed, in seconds from the first on."""
    times = []
    for peer in peers:
        peer.expect_close(1001, "beacon shutting down", bound)
        times.append(time.monotonic())
    return times


@limit(60)
def test_in_order_health_then_the_door_then_the_peers_then_the_end():
    with Beacon("drain grace 1") as b:
        peers = [login(b, node) for node in range(1, 9)]
        assert health(b) == 200
        b.ctl("drain", "-t", "2s", text=True)
        assert health(b) == 503
        assert b.ctl("show", "summary")["draining"]
        # All else goes on during the grace.
        with login(b, 20) as late:
            late.send_to(1, b"still here")
            peers[0].expect_from(20, b"still here")
            wait_for(lambda: upgrade(b) == 503, what="closed to newcomers")
            start = time.monotonic()
            times = sorted(closes(peers + [late], 5))
        b.wait_line("event=end node=1 .*reason=shutdown")
        assert times[-1] - start < 3
        ends(b)


@limit(60)
def test_peers_are_closed_evenly():
    """Never more than 1.5 times the even rate, a second long."""
    count, seconds = 300, 6
    with Beacon("drain grace 0", nodes=range(1, count + 1)) as b:
        peers = [login(b, node) for node in range(1, count + 1)]
        b.ctl("drain", "-t", "%ds" % seconds, text=True)
        start = time.monotonic()
        left = []       # how many there are, by the time
        while True:
            try:
                left.append((time.monotonic(),
                    b.ctl("show", "summary")["peers"]))
            except AssertionError:      # it has ended
                break
            if left[-1][1] == 0:
                break
            time.sleep(0.05)
        for at, peers_left in left:
            gone = count - peers_left
            assert gone <= 1.5 * count * (at - start + 1) / seconds, (
                at - start, gone)
        assert left[len(left) // 2][1] > 0
        for peer in peers:
            peer.expect_close(1001)
        ends(b)


@limit(60)
def test_undrain_takes_it_back():
    with Beacon("drain grace 0") as b:
        with login(b, 1) as one, login(b, 2) as two:
            b.ctl("drain", "-t", "1h", text=True)
            assert (health(b), upgrade(b)) == (503, 503)
            # A worker that comes later drains as well.
            b.wait_new("worker", b.kill("worker", 0), 0)
            wait_for(lambda: {upgrade(b) for _ in range(8)} == {503})
            b.ctl("undrain", text=True)
            assert health(b) == 200
            assert not b.ctl("show", "summary")["draining"]
            one.close()
            two.close()
        with login(b, 3) as three:
            three.send_to(3, b"as before")
            three.expect_from(3, b"as before")


def test_drain_again_gives_what_is_left_that_time():
    with Beacon("drain grace 0") as b:
        with login(b, 1) as peer:
            b.ctl("drain", "-t", "1h", text=True)
            b.ctl("drain", "-t", "1", text=True)
            peer.expect_close(1001)
        ends(b)


def test_sigterm_drains_if_so_configured():
    with Beacon("drain grace 1\ndrain on stop 1") as b:
        with login(b, 1) as peer:
            os.kill(b.pid, signal.SIGTERM)
            wait_for(lambda: health(b) == 503)
            peer.in_step()
            peer.expect_close(1001)
        ends(b)


def test_a_second_sigterm_is_the_end_at_once():
    with Beacon("drain grace 600\ndrain on stop 600") as b:
        with login(b, 1) as peer:
            os.kill(b.pid, signal.SIGTERM)
            b.wait_line("draining")
            os.kill(b.pid, signal.SIGTERM)
            peer.expect_close(1001)
        ends(b)


def test_drain_is_no_time():
    with Beacon() as b:
        for wrong in "0", "x", "":
            b.ctl("drain", "-t", wrong, text=True, ok=2)
        b.ctl("drain", "-t", "86401", text=True, ok=1)
        assert health(b) == 200
