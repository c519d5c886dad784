# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Sessions move from one worker to another, and nobody notices."""

import os
import signal
import struct
import threading
import time

from beacon import Beacon, limit, wait_for, write
from client import (BINARY, CONTINUATION, PING, PONG, TEXT, Client, frame,
    login, relay)
import router as R
from test_router import Routed

LAST = b"last"


class Talk:
    """Numbered packets from one peer to another, without a pause."""

    def __init__(self, sender, dest, node_from, node_to, size=100):
        self.sender, self.dest = sender, dest
        self.node_from, self.node_to = node_from, node_to
        self.size = size
        self.sent = self.came = 0
        self.going = True
        self.error = None
        self.threads = [threading.Thread(target=self.run, args=(f,))
            for f in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def run(self, what):
        try:
            what()
        except BaseException as e:      # pylint: disable=broad-except
            self.error = e

    def send(self):
        while self.going:
            if self.sent - self.came > 500:
                continue
            self.sender.send_to(self.node_to,
                struct.pack(">I", self.sent) + bytes(self.size))
            self.sent += 1
        self.sender.send_to(self.node_to, LAST)

    def receive(self):
        while True:
            packet = self.dest.recv_packet(5)
            if packet[5:] == LAST:
                return
            assert packet[:5] == b"\x06" + struct.pack(">I", self.node_from)
            assert struct.unpack(">I", packet[5:9])[0] == self.came
            self.came += 1

    def end(self):
        self.going = False
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        if self.error is not None:
            raise self.error
        assert self.came == self.sent > 0


@limit(60)
def test_a_worker_is_drained_under_traffic():
    with Beacon("source packet limit 0", workers=2) as b:
        peers = [login(b, node) for node in range(1, 9)]
        talks = [Talk(peers[i], peers[i ^ 1], i + 1, (i ^ 1) + 1)
            for i in range(8)]
        for _ in range(5):
            for worker in (0, 1):
                old = b.pid_of("worker", worker)
                b.ctl("drain", str(worker), text=True)
                b.wait_new("worker", old, worker)
        for talk in talks:
            talk.end()
        b.wait_peers(8)
        b.note_children()


@limit(60)
def test_the_number_of_workers_changes_under_traffic():
    with Beacon("source packet limit 0", workers=1, udp=True) as b:
        peers = [login(b, node) for node in range(1, 9)]
        talks = [Talk(peers[i], peers[i ^ 1], i + 1, (i ^ 1) + 1)
            for i in range(8)]
        for count in (3, 2, 4, 1, 2, 1):
            b.write_conf("source packet limit 0", workers=count, udp=True)
            b.ctl("reload", text=True)
            wait_for(lambda: [c["state"] for c in b.children()
                if c["role"] == "worker"] == ["running"] * count,
                what="%d workers" % count)
            b.note_children()
        for talk in talks:
            talk.end()
        b.wait_peers(8)


def pids(b):
    b.note_children()
    return {c["pid"] for c in b.children()}


@limit(60)
def test_an_upgrade_under_traffic():
    """All programs are started anew, the parent excepted."""
    with Beacon("source packet limit 0", workers=2) as b:
        peers = [login(b, node) for node in range(1, 9)]
        talks = [Talk(peers[i], peers[i ^ 1], i + 1, (i ^ 1) + 1)
            for i in range(8)]
        for _ in range(3):
            before = pids(b)
            b.ctl("upgrade", text=True)
            wait_for(lambda: len(pids(b) & before) == 1
                and all(c["state"] == "running" for c in b.children()),
                10, "new processes")
        for talk in talks:
            talk.end()
        b.wait_peers(8)
        # Whoever has a part of the work goes by its number.
        login(b, 9).close()
        b.wait_line("event=login node=9 .*worker=[01] ")
        assert {b.worker_of(node) for node in range(1, 9)} <= {0, 1}


class Logins:
    """One login after another, without a pause; all must come through."""

    def __init__(self, b, nodes):
        self.b, self.nodes = b, nodes
        self.done = 0
        self.going = True
        self.error = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while self.going:
                for node in self.nodes:
                    # Half of them take their time for the reply.
                    with Client(self.b.port) as peer:
                        if self.done % 2:
                            time.sleep(0.05)
                        peer.login(node).in_step()
                    self.done += 1
        except BaseException as e:      # pylint: disable=broad-except
            self.error = e

    def end(self):
        self.going = False
        self.thread.join(20)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


@limit(60)
def test_no_login_fails_through_an_upgrade():
    """Nor a scrape: auth and metrics come up beside the old ones."""
    with Beacon("metrics on 127.0.0.1 port 0", workers=2) as b:
        logins = [Logins(b, range(10 * i + 1, 10 * i + 4)) for i in range(3)]
        for _ in range(10):
            before, done = pids(b), [l.done for l in logins]
            b.ctl("upgrade", text=True)
            wait_for(lambda: len(pids(b) & before) == 1
                and all(c["state"] == "running" for c in b.children()),
                15, "new processes")
            wait_for(lambda: all(l.error or l.done > n
                for l, n in zip(logins, done)), what="logins")
        for login_s in logins:
            login_s.end()
        assert b.metric("connections_total", outcome="auth_fail") == 0
        assert [c["restarts"] for c in b.children()] == [0] * 5


@limit(60)
def test_an_upgrade_to_a_program_that_does_not_run():
    with Beacon(workers=2, unprivileged=True) as b, login(b, 1) as peer:
        worker = os.path.join(b.programs, "beacond-worker")
        with open(worker, "rb") as f:
            good = f.read()
        os.unlink(worker)
        write(worker, "#!/bin/false\n")
        os.chmod(worker, 0o755)
        before = pids(b)
        b.ctl("upgrade", text=True, ok=1)
        b.wait_line("new processes: one has died; all stays as it was")
        wait_for(lambda: pids(b) == before, what="all as it was")
        os.unlink(worker)
        b.ctl("upgrade", text=True, ok=1)
        b.wait_line("beacond-worker: No such file")
        b.kill("worker", b.worker_of(1) ^ 1)
        peer.in_step()
        with open(worker, "wb") as f:
            f.write(good)
        os.chmod(worker, 0o755)
        b.ctl("upgrade", text=True)
        peer.in_step()


def move_all(b):
    """Each worker hands its sessions to a new process."""
    before = pids(b)
    b.ctl("upgrade", text=True)
    wait_for(lambda: len(pids(b) & before) == 1
        and all(c["state"] == "running" for c in b.children()),
        10, "new processes")


@limit(60)
def test_what_is_incomplete_goes_along():
    """A move at every octet of a header, and within all else that a session
    can be in the middle of."""
    payload = bytes(range(256)) * 8
    whole = frame(BINARY, relay(1, 2, payload))
    parts = [frame(BINARY, relay(1, 2, payload)[:700], fin=False),
        frame(PING, b"in between"),
        frame(CONTINUATION, relay(1, 2, payload)[700:1400], fin=False),
        frame(CONTINUATION, relay(1, 2, payload)[1400:])]
    text = frame(TEXT, "\u00e4\u20ac".encode() * 300)
    with Beacon(workers=2) as b, login(b, 1) as one, login(b, 2) as two:
        for cut in (1, 2, 3, 4, 7, 8, 9, 100, len(whole) - 1):
            one.send(whole[:cut])
            move_all(b)
            one.send(whole[cut:])
            two.expect_from(1, payload)
        for cut in (1, 705, 706, 720, 1300, len(b"".join(parts)) - 700):
            stream = b"".join(parts)
            one.send(stream[:cut])
            move_all(b)
            one.send(stream[cut:])
            two.expect_from(1, payload)
            one.expect(PONG, b"in between")
        for cut in (5, 6, 7, 701):
            one.send(text[:cut])
            move_all(b)
            one.send(text[cut:])
        one.in_step()
        assert b.metric("text_ignored_total") == 4


@limit(60)
def test_text_that_is_bad_behind_a_move():
    text = frame(TEXT, b"good" * 100 + b"\xe2\x82" + b"\xff" * 100)
    with Beacon(workers=1) as b, login(b, 1) as one:
        one.send(text[:407 + 3])
        move_all(b)
        one.send(text[407 + 3:])
        one.expect_close(1007)


@limit(60)
def test_what_waits_for_a_slow_reader_goes_along():
    """Queues of some megabytes, begun frames and control frames in them."""
    size, count = 30000, 140
    with Beacon("source packet limit 0", workers=2) as b, \
            login(b, 1) as one, login(b, 2, rcvbuf=4096) as two:
        for i in range(count):
            one.send_to(2, bytes([i]) * size)
        one.in_step()
        wait_for(lambda: b.ctl("show", "peer", 2)["queued"] > 3000000,
            what="a full queue")
        queued = b.ctl("show", "peer", 2)["queued"]
        two.send(frame(PING, b"waits"))
        for _ in range(3):
            move_all(b)
        assert b.ctl("show", "peer", 2)["queued"] == queued
        got = []
        ponged = 0
        while len(got) < count:
            opcode, data = two.next(5)
            if opcode == PONG:
                ponged += 1
                continue
            assert data == b"\x06\0\0\0\1" + bytes([len(got)]) * size
            got.append(data)
        assert ponged == 1
        one.send_to(2, b"and on")
        two.expect_from(1, b"and on")


@limit(60)
def test_timeouts_and_limits_go_along():
    with Beacon("idle timeout 4\nping interval 1\nsource packet limit 5",
            workers=2) as b, login(b, 1) as one, login(b, 2) as two:
        for _ in range(5):
            one.send_to(2, b"x")
            two.expect_from(1, b"x")
        since = b.peer(2)["since"]
        row = b.ctl("show", "peer", 1)
        move_all(b)
        after = b.ctl("show", "peer", 1)
        for key in ("generation", "address", "frames_in", "frames_out"):
            assert after[key] == row[key], key
        assert b.peer(2)["since"] == since
        start = time.monotonic()
        one.expect(PING)
        assert time.monotonic() - start < 2
        # Neither answers a ping, so both are idle some seconds later.
        two.expect_close(1001, "idle timeout", 6)
        b.wait_line("event=end node=2 .*reason=idle")


@limit(60)
def test_a_peer_that_connects_again_in_the_middle():
    """Who has its name is clear at each moment; nobody is left over."""
    with Beacon(workers=3) as b:
        others = [login(b, node) for node in range(10, 20)]
        peer = login(b, 1)
        for _ in range(7):
            upgrade = threading.Thread(target=b.ctl, args=("upgrade",),
                kwargs={"text": True})
            upgrade.start()
            again = login(b, 1)
            peer.expect_close(1000, "replaced")
            peer = again
            upgrade.join(20)
            assert not upgrade.is_alive()
            others[0].send_to(1, b"are you there")
            peer.expect_from(10, b"are you there")
            wait_for(lambda: all(c["state"] == "running"
                for c in b.children()) and len(b.children()) == 5,
                10, "new processes")
        b.wait_peers(11)
        pids(b)


@limit(60)
def test_a_router_closes_a_peer_that_is_on_its_way():
    """Its worker waits for a third one, which stands still: 0.5 s, and the
    session moves; 2 s and more, and it stays."""
    for pause, stays in ((0.5, False), (3, True)):
        with Routed(workers=3) as b, b.router() as r, login(b, 1):
            peer = login(b, 2)
            home = b.worker_of(2)
            old = b.pid_of("worker", home)
            still = b.pid_of("worker", (home + 1) % 3)
            os.kill(still, signal.SIGSTOP)
            drain = threading.Thread(target=b.ctl,
                args=("drain", str(home)), kwargs={"text": True})
            drain.start()
            b.wait_line("worker.%d. .pid %d. leaves" % (home, old))
            time.sleep(0.2)     # it stands still by now
            r.channels[home].send(R.CLOSE, 2, 0,
                struct.pack("=I", 4321) + b"enough")
            time.sleep(pause)
            if not stays:
                os.kill(still, signal.SIGCONT)
            peer.expect_close(4321, "enough", 5)
            b.wait_line("event=end node=2 .*reason=router")
            if stays:
                os.kill(still, signal.SIGCONT)
            drain.join(20)
            b.note_children()
