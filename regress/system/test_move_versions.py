# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Sessions move between workers of which one is of a later version.

That one says more of a session than the other knows (regress/hostile/steps.c),
and says whether it can be passed over.
"""

import os
import shutil
import threading

import beacon
from beacon import BUILD, Beacon, limit, wait_for
from client import login
from test_move import pids

NODES = range(1, 7)


class Versions(Beacon):
    """A beacon whose worker can be exchanged for one of another version."""

    def __init__(self, later, feature):
        self.feature = feature
        self.is_later = later
        super().__init__(workers=2)

    def environment(self):
        return {**super().environment(), "MALLOC_LATER": self.feature}

    def install(self, unprivileged):
        for name in beacon.PROGRAMS:
            shutil.copy(os.path.join(BUILD, name),
                os.path.join(self.directory, name))
        self.use(self.is_later)
        return self.directory

    def use(self, later):
        source = os.path.join(BUILD, *(("hostile", "steps-worker") if later
            else ("beacond-worker",)))
        program = os.path.join(self.directory, "beacond-worker")
        shutil.copy(source, program + ".new")
        os.rename(program + ".new", program)

    def upgrade(self, later):
        self.use(later)
        before = pids(self)
        self.ctl("upgrade", text=True)
        wait_for(lambda: len(pids(self) & before) == 1
            and all(c["state"] == "running" for c in self.children()),
            15, "new processes")


def talk(peers):
    for node, peer in peers.items():
        peer.send_to(node % len(peers) + 1, b"on")
    for node in peers:
        peers[node % len(peers) + 1].expect_from(node, b"on")


@limit(60)
def test_what_can_be_passed_over_is():
    """To a later version and back, twice."""
    with Versions(False, "optional") as b:
        peers = {node: login(b, node) for node in NODES}
        for later in (True, False, True, True, False):
            b.upgrade(later)
            talk(peers)
        b.wait_peers(len(peers))
        assert b.metric("moved_total") >= 5 * len(peers)


@limit(60)
def test_what_cannot_be_is_refused_and_all_stay():
    """From a later version back; the other way there is nothing unknown."""
    with Versions(False, "required") as b:
        peers = {node: login(b, node) for node in NODES}
        b.upgrade(True)
        talk(peers)
        b.use(False)
        before = pids(b)
        asks = threading.Thread(target=ask, args=(b,))
        asks.start()
        b.wait_line("state that takes a later version")
        b.wait_line("none of [0-9]+ sessions could be taken, and they stay")
        talk(peers)
        # They are where they were, and that can be seen.
        rows = [r for r in b.ctl("show", "workers") if r["sessions"]]
        assert {r["state"] for r in rows} == {"leaving"}
        assert {r["pid"] for r in rows} <= before
        b.wait_peers(len(peers))
        login(b, 9).close()
    asks.join(20)
    assert not asks.is_alive()


def ask(b):
    try:
        b.ctl("upgrade", text=True)
    except AssertionError:
        pass        # it goes on for as long as it is asked to
