# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What a beacon does while its calls fail, and what must be so afterwards."""

import json
import os
import select
import socket
import struct

from beacon import proc_stat, wait_for
from client import (BINARY, PING, PONG, TEXT, Client, Ended, deliver, frame,
    request)
from faults import FaultyBeacon
from udp import Udp

WORKERS = 2
STAY = range(1, 7)      # nodes that are connected all the time
COME = range(11, 21)    # those that log in while calls fail
DATAGRAMS = (31, 32)    # nodes that use UDP
BOUND = 3.0             # seconds for one login; none takes long
QUIET = 0.4             # without a packet: what is missing is lost
SETTLE = 12.0           # until all children are there again

TICK = os.sysconf("SC_CLK_TCK")
TROUBLE = AssertionError, Ended, OSError


class Lost(Exception):
    """Something that no fault excuses."""


def cpu(pid):
    """Seconds that a process has used."""
    user, system = proc_stat(pid, 13), proc_stat(pid, 14)
    return 0. if user is None else (int(user) + int(system)) / TICK


def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return None


def resident(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f
            if line.startswith("RssAnon"))


class Box:
    """A peer's end: what has come to it, and whether it is still there."""

    def __init__(self, node, end):
        self.node, self.end = node, end
        self.came = set()
        self.gone = None

    def fileno(self):
        return self.end.sock.fileno()

    def close(self):
        self.end.close()

    def take(self):
        """All that can be read now."""
        self.end.sock.setblocking(False)
        try:
            while self.gone is None:
                self.takes(self.end.sock.recv(1 << 18))
        except BlockingIOError:
            pass
        except OSError as why:
            self.gone = str(why)
        finally:
            self.end.sock.settimeout(BOUND)


class Peer(Box):
    def takes(self, data):
        if not data:
            self.gone = "end of file"
            return
        self.end.buffer += data
        try:
            while len(self.end.buffer) >= 2 and self.whole():
                self.frame(*self.end.recv_frame(0.001)[1:])
        except TROUBLE as why:
            self.gone = str(why)

    def whole(self):
        length = self.end.buffer[1]
        assert length < 126
        return len(self.end.buffer) >= 2 + length

    def frame(self, opcode, data):
        if opcode == PING:
            self.end.send(frame(PONG, data))
        elif opcode == BINARY:
            self.came.add(data)
        elif opcode != PONG:
            self.gone = "opcode %d: %r" % (opcode, data)

    def send_to(self, dest, payload):
        try:
            self.end.send_to(dest, payload)
        except OSError as why:
            self.gone = str(why)


class Datagrams(Box):
    def takes(self, data):
        self.came.add(data)

    def send_to(self, dest, payload):
        self.end.send(struct.pack(">BII", 5, self.node, dest) + payload)


class Scene:
    """One beacon with peers, for many cases, until something is lost."""

    def __init__(self):
        self.beacon = FaultyBeacon(workers=WORKERS, udp=True)
        self.round = 0      # of packets: none is taken for an earlier one
        self.missing = 0
        self.quiet = QUIET
        self.boxes = {}
        self.baseline = None    # descriptors, by role

    def __enter__(self):
        try:
            return self.begun()
        except BaseException:
            self.beacon.clean_up()
            raise

    def begun(self):
        """Itself, with all that there is before the first case."""
        if self.baseline is not None:
            return self
        b = self.beacon
        b.start()
        self.metrics_port = b.listening("metrics")[0]
        for node in STAY:
            self.connect(node)
        for node in DATAGRAMS:
            self.boxes[node] = Datagrams(node,
                Udp(b.udp_port, node).join(b))
        # A further worker's socket for UDP stays open.
        self.grow()
        self.shrink()
        self.baseline = self.least_descriptors()
        return self

    def __exit__(self, kind, *_):
        for box in self.boxes.values():
            box.close()
        try:
            if kind is None:
                self.beacon.stop()
        finally:
            self.beacon.clean_up()

    def connect(self, node):
        client = Client(self.beacon.port)
        try:
            self.boxes[node] = Peer(node, self.log_in(client, node))
        except TROUBLE:
            client.close()
            raise

    @staticmethod
    def log_in(client, node):
        # A login of its own, as one of client.py's waits for longer.
        client.send(request())
        got = client.answer(bound=BOUND)
        assert got.status == 101, "status %d" % got.status
        challenge = client.expect(TEXT, bound=BOUND)
        client.send_text(client.reply(node, json.loads(challenge)))
        client.expect(TEXT, b'{"type":"auth_ok"}', BOUND)
        client.node = node
        return client

    # What is done while calls fail: each of it may be refused.

    def act(self):
        refused = []
        self.missing = 0
        for what in (self.log_ins, self.talk, self.reload, self.grow,
                self.show, self.shrink, self.scrape):
            try:
                what()
            except TROUBLE as why:
                refused.append("%s: %s" % (what.__name__,
                    str(why).split("\n")[0][:100]))
        return refused

    def log_ins(self):
        failed = []
        for node in COME:
            try:
                self.connect(node)
            except TROUBLE as why:
                failed.append("%d: %r" % (node, why))
        assert not failed, "%d of them: %s" % (len(failed), failed[0])

    def talk(self):
        """Each says something to each, by its way; what did not come."""
        self.missing = len(self.exchange())
        assert not self.missing, "%d packets" % self.missing

    def exchange(self):
        boxes = [box for box in self.boxes.values() if box.gone is None]
        self.round += 1
        wanted = {box.node: set() for box in boxes}
        for one in boxes:
            for other in boxes:
                if one is other:
                    continue
                payload = struct.pack(">II", self.round, other.node)
                wanted[other.node].add(deliver(one.node, payload))
                one.send_to(other.node, payload)
        self.listen(boxes, wanted)
        return [(box.node, packet) for box in boxes
            for packet in wanted[box.node] - box.came if box.gone is None]

    def listen(self, boxes, wanted):
        """Until all has come, or nothing more comes."""
        for box in boxes:
            box.came.clear()
        while True:
            waiting = [box for box in boxes
                if box.gone is None and wanted[box.node] - box.came]
            if not waiting:
                return
            ready = select.select(waiting, [], [], self.quiet)[0]
            if not ready:
                return
            for box in ready:
                box.take()

    def reload(self):
        self.beacon.ctl("reload", text=True)

    def resize(self, count):
        self.beacon.write_conf(self.beacon.conf, workers=count, udp=True)
        self.reload()
        wait_for(lambda: self.running() == count + 2, 2, "its workers")

    def grow(self):
        self.resize(WORKERS + 1)

    def shrink(self):
        self.resize(WORKERS)

    def show(self):
        for what in "peers", "nodes", "metrics":
            self.beacon.ctl("show", what)

    def scrape(self):
        with socket.create_connection(("127.0.0.1", self.metrics_port),
                2) as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
                b"Connection: close\r\n\r\n")
            text = b""
            while more := s.recv(65536):
                text += more
        assert text.startswith(b"HTTP/1.1 200"), text[:40]
        assert text.endswith(b"# EOF\n") or b"pilot_beacon" in text

    # What is so, before and after.

    def running(self):
        return sum(c["state"] == "running" for c in self.children())

    def children(self):
        self.beacon.note_children()
        return [c for c in self.beacon.children() if c["role"] != "parent"]

    def pids(self):
        return {(c["role"], c.get("worker", 0)): c["pid"]
            for c in self.children()}

    def descriptors(self):
        """By role; not those of beaconctl's last connection, once it is
        closed."""
        total = {"parent": descriptors(self.beacon.pid)}
        for (role, _), pid in self.pids().items():
            total[role] = total.get(role, 0) + (descriptors(pid) or 0)
        return total

    def least_descriptors(self):
        found = [self.descriptors() for _ in range(5)]
        return min(found, key=lambda count: sum(count.values()))

    def drops(self):
        return sum(value for name, value in self.beacon.metrics().items()
            if "drops_total" in name)

    def settle(self):
        """All places are held again by as many workers as there were."""
        def settled():
            try:
                return self.running() == WORKERS + 2
            except TROUBLE:
                return False
        self.beacon.write_conf(self.beacon.conf, workers=WORKERS,
            udp=True)
        try:
            self.reload()
        except AssertionError as why:
            raise Lost("reload afterwards: %s" % why) from None
        wait_for(settled, SETTLE, "the children")

    def gone(self):
        """Whose session has ended."""
        for box in self.boxes.values():
            if box.gone is None:
                box.take()
        return [node for node, box in self.boxes.items() if box.gone]

    def leave(self, nodes):
        for node in nodes:
            if node in self.boxes:
                self.boxes.pop(node).close()
