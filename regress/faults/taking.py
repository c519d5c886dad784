# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A call that fails while a new parent takes over from the old one: either has
all that there was in the end."""

import calls
from beacon import wait_for
from case import ALARM, EVER, START, Case
from client import login, relay
from faults import FaultyBeacon
from scene import TROUBLE

NODES = range(1, 5)
PATIENCE = 10.0     # seconds that a parent waits for the other (successor_ask.c)

# Of the old one each, of either some: the new one makes most at its start.
OLD = [(1, 0, EVER), (2, 0, EVER), (3, 0, EVER), (1, 1, 20)]
EITHER = [(n, 0, EVER) for n in (1, 4, 16, 64)]


class Taking(Case):
    def play(self):
        with FaultyBeacon(workers=2, udp=True) as b:
            try:
                self.takes(b, [login(b, node) for node in NODES])
            except TROUBLE as why:
                self.loses(str(why).split("\n")[0])
            if self.lost:
                b.show_log()

    def takes(self, b, peers):
        b.note_children()
        old, before = b.proc, (b.proc, b.reader, b.lines)
        self.arm(b.page, old.pid if self.whom == "old" else 0)
        b.launch("-u")
        wait_for(lambda: b.proc.poll() is not None or
            "beacond: ready" in b.lines, START + PATIENCE,
            "one that has taken over, or not")
        b.page.disarm()
        self.failed = b.page.failed()
        said = b.lines + before[2]
        if b.proc.poll() is None:
            self.holds(old.wait(5) == 0, "the old one has not ended well")
            b.pid = b.proc.pid
        else:
            b.reader.join(5)
            self.holds(b.proc.poll() == 1, "status %d" % b.proc.poll())
            self.holds(b.lines, "ended without a word")
            self.holds(old.poll() is None, "none goes on")
            b.proc, b.reader, b.lines = before
        self.all_is_there(b, peers)
        b.take_over()
        self.all_is_there(b, peers)
        for line in said + b.lines:
            self.holds(not ALARM.search(line), line)

    def holds(self, what, otherwise):
        if not what:
            self.loses(otherwise)

    def all_is_there(self, b, peers):
        wait_for(lambda: [c["state"] for c in b.children()] ==
            ["running"] * 5, START, "all its children")
        for i, peer in enumerate(peers):
            peer.send_packet(relay(i + 1, (i ^ 1) + 1, b"%d" % i))
        for i, peer in enumerate(peers):
            got = peer.recv_packet(5)
            self.holds(got[5:] == b"%d" % (i ^ 1), "the session of %d" % i)
        login(b, len(peers) + 1).close()


def taking_rows(role, call):
    for whom, counts in (("old", OLD), (None, EITHER)):
        for error in calls.ERRORS[call].split():
            for when in counts:
                yield Taking(role, call, error, when, whom)
