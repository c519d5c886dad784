# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The wall clock is set, and nobody but a reader of it notices.

The programs read clocks that are the machine's and what the test adds to them:
to the wall clock as whoever sets it, to the monotonic one as whoever waits.
"""

import contextlib
import os
import re
import shutil
import time

from beacon import BUILD, limit, wait_for
from client import TEXT, Client, login
from machine import MachineBeacon, OnMachine
from puppet import P, Staged, message
from test_gossip import gossip_peer, learned
from udp import Udp, node_of, sync, udp_of

HOUR = 3600


class MachineStaged(OnMachine, Staged):
    """Its workers are puppets; the parent has the clocks."""

    def install(self, unprivileged):
        OnMachine.install(self, unprivileged)
        shutil.copy(os.path.join(BUILD, "hostile", "hostile-worker"),
            os.path.join(self.directory, "beacond-worker"))
        return self.directory


def asked(b):
    client = Client(b.port)
    client.upgrade()
    return client, client.challenge()


def test_the_clocks_of_all_processes_can_be_set():
    """Or nothing here would show anything."""
    with MachineBeacon(udp=True) as b, Udp(b.udp_port, 5) as u, \
            Udp(b.udp_port, 6) as v:
        u.join(b)
        b.step(HOUR)
        assert abs(b.ctl("show", "summary")["now"] - b.time()) < 5
        assert "since " + time.strftime("%Y-%m-%dT%H:",
            time.gmtime(b.time() - 60)) in b.ctl("show", "summary", text=True)
        b.spend(P.ENDPOINT_EXPIRE)
        v.send_to(5, b"x")
        b.wait_metric(1, "drops", reason="not_found")


def test_logins_go_on():
    with MachineBeacon() as b:
        for node, seconds in enumerate((HOUR, -2 * HOUR, -600, HOUR), 1):
            before, challenge = asked(b)
            b.step(seconds)
            before.send_text(before.reply(node, challenge))
            before.expect(TEXT, b'{"type":"auth_ok"}')
            with login(b, 20 + node):
                before.close()
        # Nonces of before are used up, or too old, after a while.
        def told():
            client, challenge = asked(b)
            client.close()
            return abs(challenge["ts"] - b.time()) < 5
        wait_for(told, what="a challenge of the new time")


def test_replies_are_late_whatever_the_wall_clock_says():
    with MachineBeacon("auth timeout 60") as b:
        client, challenge = asked(b)
        b.spend(31)
        b.step(-31)
        client.send_text(client.reply(1, challenge))
        client.expect_close(1008, "auth failed")


def test_udp_nodes_stay_reachable_and_may_move():
    with MachineBeacon(udp=True) as b, Udp(b.udp_port, 5) as u, \
            Udp(b.udp_port, 5) as moved, Udp(b.udp_port, 6) as v:
        u.join(b)
        v.join(b)
        # Neither an hour on nor an hour back is an hour.
        for seconds in (HOUR, -2 * HOUR):
            b.step(seconds)
            v.send_to(5, b"x")
            u.expect_from(6, b"x")
            moved.discover()
            v.send_to(5, b"y")
            u.expect_from(6, b"y")
        b.spend(P.ENDPOINT_HOLD)
        moved.discover()
        wait_for(lambda: udp_of(b, 5) == "127.0.0.1:%d" % moved.port)
        v.send_to(5, b"z")
        moved.expect_from(6, b"z")


def test_many_messages_are_no_flood():
    """As many at once as a child may send, ten minutes ago."""
    with MachineStaged(lambda *_: True, workers=1) as b:
        puppet = b.puppet()
        b.step(-600)
        burst = define("parent/parent.h", "MESSAGE_BURST")
        puppet.raw(message(P.WP_PONG) * burst)
        puppet.raw(message(P.WP_PONG) * 1000)
        b.step(HOUR)
        puppet.raw(message(P.WP_PONG))
        assert b.pid_of("worker") == puppet.pid
        puppet.close()
        b.wait_new("worker", puppet.pid)
        b.puppet(epoch=2).close()


def define(path, name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
            "../..", path)) as f:
        return int(re.search(r"^#define %s\s+(\d+)" % name, f.read(),
            re.M).group(1))


def die(b, spend=0):
    """Auth dies; its restart is due after so many seconds."""
    pid = b.kill("auth")
    wait_for(lambda: b.pid_of("auth") != pid)
    if spend:
        b.spend(spend)
    b.wait_new("auth", pid)


@limit(90)
def test_restart_cap_counts_real_time():
    deaths = define("parent/roles.c", "ROLES_AUTH_DEATHS")
    window = define("parent/parent.h", "DEATHS_WINDOW")
    few = deaths // 2 + 1
    b = MachineBeacon()
    try:
        b.start()
        for _ in range(few):
            die(b)
        # Those are forgiven when the time is over, and no sooner.
        b.step(-HOUR)
        b.spend(window)
        for _ in range(few):
            die(b)
        b.step(2 * HOUR)
        for wait in (3, 6, 10, 10)[:deaths - few]:
            die(b, wait)
        b.kill("auth")
        assert b.proc.wait(20) == 1
        b.wait_line("auth died %d times within %d s" % (deaths + 1, window))
        b.check_no_process()
    finally:
        b.clean_up()


def test_gossip_counts_for_90_real_seconds():
    peer, conf = gossip_peer()
    with MachineBeacon(conf, udp=True) as b:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100]))
        wait_for(lambda: learned(b, 100))
        for seconds in (HOUR, -2 * HOUR):
            b.step(seconds)
            assert learned(b, 100)
        b.spend(89)
        wait_for(lambda: not learned(b, 100))
    peer.close()


def test_flapping_is_counted_over_real_time():
    most = define("parent/parent.h", "REPLACE_MAX")
    window = define("parent/parent.h", "REPLACE_WINDOW")
    with MachineBeacon("idle timeout 300") as b, \
            contextlib.ExitStack() as clients:
        def connect():
            return clients.enter_context(Client(b.port))
        for _ in range(most + 1):
            connect().login(1)
        for _ in range(2):
            b.step(HOUR)
            refused = connect()
            refused.send_reply(1)
            refused.expect_close(1013)
        b.step(-5 * HOUR)
        b.spend(window)
        connect().login(1)


def test_what_is_shown_follows_the_wall_clock():
    with MachineBeacon(udp=True) as b, login(b, 1), Udp(b.udp_port, 5) as u:
        u.join(b)
        b.step(HOUR)
        moments = [b.ctl("show", "peer", 1)["since"],
            node_of(b, 5)["udp"]["seen"], b.ctl("show", "summary")["started"]]
        moments += [child["since"] for child in b.children()]
        for moment in moments:
            assert 0 <= b.time() - moment < 30, (moments, b.time())
