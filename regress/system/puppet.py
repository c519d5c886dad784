# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The test itself in the place of a worker or of auth.

A program that stands in a role's place (regress/hostile) hands the channel
that the parent gave it to the test, which can then say whatever it likes, as
that process.
"""

import glob
import os
import re
import shutil
import socket
import struct
import threading
import time

import beacon
import keys
from beacon import BUILD, Beacon

HEADER = struct.Struct("=IIII")     # type, length, peerid, pid
FD_MARK = 0x80000000
HELLO = struct.Struct("=16sIII")     # version, layout, worker, epoch
BOUND = 20.0


def constants():
    """What the enums and numbers of common/proto*.h are called and are."""
    text = ""
    for path in sorted(glob.glob(os.path.join(os.path.dirname(
            os.path.abspath(__file__)), "../../common/proto*.h"))):
        with open(path) as f:
            text += re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    found = {k: int(v) for k, v in
        re.findall(r"^#define (\w+)\s+(\d+)\s*$", text, re.M)}
    for body in re.findall(r"^enum \w+ \{(.*?)\}", text, re.S | re.M):
        number = 0
        for name, value in re.findall(r"(\w+)(?: = (\w+))?", body):
            number = int(value, 0) if value else number
            found[name] = number
            number += 1
    return type("Proto", (), found)


P = constants()


def message(kind, data=b"", peerid=0, pid=0, length=None, mark=False):
    """The bytes of one message; length: what the header says instead."""
    if length is None:
        length = HEADER.size + len(data)
    return HEADER.pack(kind, length | (FD_MARK if mark else 0), peerid,
        pid) + data


class Channel:
    """One end of a channel between two processes."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(BOUND)
        self.lock = threading.Lock()
        self.buffer = b""
        self.fds = []

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def raw(self, data, fds=()):
        """Sends bytes; a killed sender's may get nowhere."""
        with self.lock:
            if fds:
                sent = socket.send_fds(self.sock, [data], fds)
                data = data[sent:]
            if data:
                self.sock.sendall(data)

    def send(self, kind, data=b"", **how):
        self.raw(message(kind, data, **how))

    def flood(self, data, bound=20):
        """Sends data again and again until the other end has enough."""
        end = time.monotonic() + bound
        try:
            while time.monotonic() < end:
                self.raw(data)
        except OSError:
            return
        raise AssertionError("still taken after %g s" % bound)

    def receive(self):
        """The next message: (type, data, descriptor or None)."""
        head = self.take(HEADER.size)
        kind, length, self.peerid, self.pid = HEADER.unpack(head)
        data = self.take((length & ~FD_MARK) - HEADER.size)
        return kind, data, self.fds.pop(0) if length & FD_MARK else None

    def take(self, count):
        while len(self.buffer) < count:
            data, fds, _, _ = socket.recv_fds(self.sock, 1 << 16, 64)
            if not data:
                raise ConnectionResetError("closed")
            self.buffer += data
            self.fds += fds
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def expect(self, kind):
        got, data, _ = self.receive()
        assert got == kind, "message %#x, not %#x" % (got, kind)
        return data


def channel_of(fd):
    return Channel(socket.socket(fileno=fd))


class Puppet(threading.Thread):
    """One child whose place is taken.

    Until it is told otherwise it behaves as a child that does nothing: it
    gets ready and answers pings.
    """

    def __init__(self, line, channel, log, hello):
        super().__init__(daemon=True)
        self.line = line            # to the process; closed: it exits
        self.channel = channel
        self.log = log
        self.hello = hello
        fields = HELLO.unpack(hello)
        self.number, self.epoch = fields[2], fields[3]
        self.pid = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET,
            socket.SO_PEERCRED, 12))[0]
        self.greets = True          # says that it is ready
        self.answers = True         # pings
        self.reads = True
        self.news = threading.Condition()
        self.inbox = []
        self.started = False
        self.ended = False
        self.auth = None
        self.others = {}            # channels to workers
        self.fds = {}               # lists, by type of message,
        self.told = {}              # and what came with them

    def run(self):
        try:
            while self.reads:
                self.take(*self.channel.receive())
        except (OSError, ValueError):
            pass
        with self.news:
            self.ended = True
            self.news.notify_all()

    def take(self, kind, data, fd):
        with self.news:
            if kind in (P.PW_PING, P.PA_PING):
                self.pong(kind)
            elif kind in (P.PW_START, P.PA_START):
                self.start_work(kind)
            elif kind in (P.PW_SHUTDOWN, P.PA_SHUTDOWN):
                self.line.close()
            elif kind == P.PW_AUTH:
                self.auth = channel_of(fd)
            elif kind in (P.PW_SIBLING, P.PA_WORKER):
                self.others[struct.unpack_from("=I", data)[0]] = \
                    channel_of(fd)
            elif fd is not None:
                self.fds.setdefault(kind, []).append(fd)
                self.told.setdefault(kind, []).append(data)
            else:
                self.inbox.append((kind, data))
            self.news.notify_all()

    def pong(self, kind):
        if self.answers:
            self.send(P.WP_PONG if kind == P.PW_PING else P.AP_PONG)

    def start_work(self, kind):
        self.started = True
        if self.greets:
            self.ready(P.WP_READY if kind == P.PW_START else P.AP_READY)

    def ready(self, kind, **change):
        """Says READY, as somebody else if that is wanted."""
        hello = dict(zip("version layout worker epoch".split(),
            HELLO.unpack(self.hello)), **change)
        self.send(kind, HELLO.pack(*hello.values()))

    def send(self, kind, data=b"", **how):
        self.channel.send(kind, data, **how)

    def raw(self, data, fds=()):
        self.channel.raw(data, fds)

    def wait(self, predicate, what, bound=BOUND):
        with self.news:
            done = self.news.wait_for(predicate, bound)
        assert done, "%s: not within %g s" % (what, bound)

    def wait_message(self, kind, bound=BOUND):
        """Takes the oldest message of a kind out of the inbox."""
        def found():
            return [m for m in self.inbox if m[0] == kind]
        self.wait(lambda: found() or self.ended, "message %#x" % kind, bound)
        got = found()
        assert got, "ended before message %#x" % kind
        self.inbox.remove(got[0])
        return got[0][1]

    def close(self):
        for thing in [self.line, self.channel, self.log, self.auth,
                *self.others.values()]:
            if thing is not None:
                thing.close()
        for fd in sum(self.fds.values(), []):
            os.close(fd)
        self.fds = {}

    # What a worker says to auth

    def nonces(self, count=1):
        """Asks for nonces: (number of the first, their bytes)."""
        self.auth.send(P.WA_NONCES, struct.pack("=I", count))
        data = self.auth.expect(P.AW_NONCES)
        first, count, _ = struct.unpack_from("=IIQ", data)
        size = P.PROTO_NONCE_LEN
        return first, [data[16 + i * size:16 + (i + 1) * size]
            for i in range(count)]

    def verify(self, number, node, ts, sig, slot=0, serial=1):
        self.auth.send(P.WA_VERIFY, struct.pack("=IIIIQ64s", slot, serial,
            number, node, ts, sig))

    def refused(self):
        """Auth's next answer is a refusal: (slot, serial)."""
        return struct.unpack("=II", self.auth.expect(P.AW_REFUSED)[:8])


class Steering:
    """Which worker the datagrams of a source come to (common/steer.c)."""

    FACTOR = 0x9e3779b1
    SHIFT = 15

    def __init__(self, puppet):
        settings = puppet.wait_message(P.PW_SETTINGS)
        self.on, self.key = struct.unpack_from("=II", settings,
            len(settings) - 8)
        self.workers = struct.unpack_from("=I", settings, 5 * 4)[0]

    def worker(self, host, port=0):
        """port 0: by a Sync."""
        words = list(struct.unpack(">I", socket.inet_aton(host)))
        value = self.key
        for word in words + [port] * (port != 0):
            value = ((value ^ word) * self.FACTOR) & 0xffffffff
            value ^= value >> self.SHIFT
        return value % self.workers

    def socket_of(self, workers, host="127.0.0.1"):
        """A socket whose datagrams come to one of those workers."""
        while True:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((host, 0))
            s.settimeout(BOUND)
            if self.worker(*s.getsockname()) in workers:
                return s
            s.close()


def signature(node, nonce, ts, signer=None):
    text = "compat_auth:%d:%d:%s" % (node, ts, nonce.hex())
    return keys.sign(node if signer is None else signer, text.encode())


class Staged(Beacon):
    """A beacon some of whose children are puppets.

    places(role, number, epoch) says which: true for those to be taken.
    """

    def __init__(self, places, roles=("worker",), **how):
        self.places = places
        self.roles = roles
        super().__init__(**how)
        self.cast = {}
        self.arrival = threading.Condition()
        self.stage = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stage.bind(self.stage_path())
        os.chmod(self.stage_path(), 0o777)
        self.stage.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def stage_path(self):
        return os.path.join(self.directory, "stage.sock")

    def environment(self):
        return {**super().environment(), "MALLOC_PUPPET": self.stage_path()}

    def install(self, unprivileged):
        for name in beacon.PROGRAMS:
            role = name.partition("-")[2]
            source = os.path.join(BUILD, name)
            if role in self.roles:
                source = os.path.join(BUILD, "hostile", "hostile-" + role)
            shutil.copy(source, os.path.join(self.directory, name))
        return self.directory

    def serve(self):
        while True:
            try:
                line, _ = self.stage.accept()
            except OSError:
                return
            threading.Thread(target=self.receive, args=(line,),
                daemon=True).start()

    def receive(self, line):
        """A child that has just been started."""
        first, fds, _, _ = socket.recv_fds(line, 1, 2)
        if first != b"\0":
            self.receive_taken(line)
            return
        channel = channel_of(fds[0])
        log = socket.socket(fileno=fds[1])
        try:
            head = channel.sock.recv(HEADER.size + HELLO.size,
                socket.MSG_PEEK | socket.MSG_WAITALL)
            kind = HEADER.unpack_from(head)[0]
            hello = head[HEADER.size:]
            role = "auth" if kind == P.PA_HELLO else "worker"
            _, _, number, epoch = HELLO.unpack(hello)
            place = role, number, epoch
        except (OSError, struct.error):
            place = None
        if place is None or not self.places(*place):
            # The real program wants the socket as it was.
            channel.sock.setblocking(False)
            line.send(b"h" if place is None else self.honest(*place))
            for thing in (line, channel, log):
                thing.close()
            return
        puppet = Puppet(line, channel, log, hello)
        self.rehearse(role, puppet)
        puppet.start()
        with self.arrival:
            self.cast[role, puppet.number, puppet.epoch] = puppet
            self.arrival.notify_all()

    def honest(self, role, number, epoch):
        """What a child is told that is not to be a puppet."""
        return b"h"

    def receive_taken(self, line):
        """See taken.py."""
        line.close()

    def rehearse(self, role, puppet):
        """For a test that wants it to behave differently from the start."""

    def puppet(self, role="worker", number=0, epoch=1, bound=BOUND):
        """Waits for a puppet, and until it has got all it needs."""
        key = role, number, epoch
        with self.arrival:
            there = self.arrival.wait_for(lambda: key in self.cast, bound)
        assert there, "%s %d: no epoch %d within %g s" % (*key, bound)
        found = self.cast[key]
        found.wait(lambda: found.started, "start of " + role)
        return found

    def clean_up(self):
        super().clean_up()
        self.stage.close()
        for puppet in self.cast.values():
            puppet.join(20)
            puppet.close()
