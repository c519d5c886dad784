# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A router that can say anything, also what none should (beacond-frame(7))."""

import array
import mmap
import selectors
import socket
import struct

HELLO, METRICS = 0xc00, 0xc01
WELCOME, ADDRESS, NOT_WELCOME, CHANNEL, METRICS_ARE, ATTACHED, WINDOW = range(
    0xd00, 0xd07)
FRAME, CAME, GONE, REFUSED, JOINED, LEFT, FRAME_AT = range(0xe00, 0xe07)
WRITE, CLOSE, LEAVE, WRITE_AT, FREE = range(0xf00, 0xf05)

NOT_CONNECTED, QUEUE_FULL, TOO_LARGE = 1, 2, 3
PLAIN, VERSION = 1, 2       # without windows, with them
WINDOW_BYTES = 4 << 20
HEADER = struct.Struct("=IIII")
MAP_BYTES = 83894272
BOUND = 20.0


def at(begin, length):
    """The data of a FRAME_AT or a WRITE_AT."""
    return struct.pack("=II", begin, length)


def message(kind, node=0, number=0, data=b""):
    return HEADER.pack(kind, HEADER.size + len(data), node, number) + data


class Stream:
    """One socket with messages on it."""

    def __init__(self, sock):
        self.sock = sock
        self.bytes = b""
        self.fds = []

    def send(self, kind, node=0, number=0, data=b""):
        self.sock.sendall(message(kind, node, number, data))

    def receive(self, bound=BOUND):
        """(type, node, number, data, descriptor or None); None at the end."""
        self.sock.settimeout(bound)
        while True:
            if len(self.bytes) >= HEADER.size:
                kind, length, node, number = HEADER.unpack_from(self.bytes)
                marked, length = length >> 31, length & 0x7fffffff
                if len(self.bytes) >= length:
                    data = self.bytes[HEADER.size:length]
                    self.bytes = self.bytes[length:]
                    fd = self.fds.pop(0) if marked else None
                    return kind, node, number, data, fd
            try:
                got, ancillary, _, _ = self.sock.recvmsg(1 << 18,
                    socket.CMSG_SPACE(64 * 4))
            except ConnectionResetError:
                return None
            for level, kind, data in ancillary:
                fds = array.array("i")
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                self.fds += fds
            if not got:
                return None
            self.bytes += got

    def expect(self, kind, node=0, number=None, data=None):
        """The next message, which must be that; returns its data."""
        got = self.receive()
        assert got is not None, "the end in place of %#x" % kind
        assert got[:2] == (kind, node), "%#x of %d" % got[:2]
        assert number is None or got[2] == number, got[2]
        assert data is None or got[3] == data, got[3][:100]
        return got[3]

    def expect_end(self):
        got = self.receive()
        assert got is None, "%#x of %d" % got[:2]

    def close(self):
        self.sock.close()


class Router:
    """
    with Router(b, path) as r: ...; channels[n] leads to worker n, windows[n] is
    shared with it.
    """

    def __init__(self, path, version=PLAIN):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        self.control = Stream(sock)
        self.channels = {}
        self.windows = {}
        self.addresses = []
        self.map = None
        try:
            self.control.send(HELLO, data=struct.pack("=I", version))
        except BrokenPipeError:     # it was told already that it is too late
            pass
        self.answer = self.step()
        if self.answer == WELCOME:
            while self.step() != ATTACHED:
                pass

    def step(self):
        """Deals with one message on the socket; returns its type."""
        got = self.control.receive()
        assert got is not None, "hung up"
        kind, node, _, data, fd = got
        if kind == WELCOME:
            self.limits = struct.unpack("=IIII", data)
            self.map = mmap.mmap(fd, MAP_BYTES, mmap.MAP_SHARED,
                mmap.PROT_READ)
        elif kind == ADDRESS:
            self.addresses.append((data[:16], struct.unpack("=I",
                data[16:])[0]))
        elif kind == NOT_WELCOME:
            self.reason = struct.unpack("=I", data)[0]
        elif kind == WINDOW:
            self.windows[node] = mmap.mmap(fd, WINDOW_BYTES)
        elif kind == CHANNEL:
            self.channels[node] = Stream(socket.socket(fileno=fd))
            self.channels[node].expect(JOINED)
        elif kind == METRICS_ARE:
            self.metrics = struct.unpack("=8Q", data)
        return kind

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        for channel in self.channels.values():
            channel.close()
        self.control.close()
