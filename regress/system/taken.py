# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A real child in its real sandbox, in which code of the test's runs.

The child goes on with its work and makes besides the system calls that it is
told to (regress/hostile/taken.c): what whoever takes it over can do.
"""

import ctypes
import os
import socket
import struct
import threading

from puppet import BOUND, Staged

ARENA = 65536
ORDER = struct.Struct("=q6QQ")
TCP_INFO, TCP_LISTEN = 11, 10
SECCOMP = ctypes.CDLL("libseccomp.so.2")


class Died(Exception):
    """In the middle of a call."""


def number(name):
    found = SECCOMP.seccomp_syscall_resolve_name(name.encode())
    assert found >= 0, name
    return found


class Taken:
    def __init__(self, line):
        self.line = line
        line.settimeout(BOUND)
        self.base, = struct.unpack("=7xQ", self.take(15))
        self.pid = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET,
            socket.SO_PEERCRED, 12))[0]
        self.sent = b""
        self.arena = b""

    def take(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                more = self.line.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Died
            data += more
        return bytes(data)

    def place(self, data):
        """Has data in its memory at the next call; returns the address."""
        self.sent += bytes(-len(self.sent) % 16)
        at = self.base + len(self.sent)
        self.sent += data
        return at

    def order(self, number, args=()):
        args = [self.place(a) if isinstance(a, bytes) else a & (1 << 64) - 1
            for a in args]
        args += [0] * (6 - len(args))
        sent, self.sent = self.sent, b""
        try:
            self.line.sendall(ORDER.pack(number, *args, len(sent)) + sent)
        except (BrokenPipeError, ConnectionResetError):
            raise Died from None
        result, = struct.unpack("=q", self.take(8))
        self.arena = self.take(ARENA)
        return result

    def call(self, name, *args):
        """Makes a call; bytes are placed in memory.  Its result, or -errno."""
        return self.order(number(name), args)

    def dies(self, name, *args):
        try:
            got = self.call(name, *args)
        except Died:
            return
        raise AssertionError("%s%r was possible: %d" % (name, args, got))

    def free_twice(self):
        try:
            self.order(-1)
        except Died:
            return
        raise AssertionError("libc has not noticed")

    def be_greedy(self):
        """It says that it has nothing to do, and takes what it can get."""
        self.order(-2)

    def sockets(self):
        """Of the network: {descriptor: (is it a listener?, its port)}."""
        found = {}
        for fd in range(64):
            if self.call("getsockname", fd, bytes(32),
                    struct.pack("=I", 32)) != 0:
                continue
            family, port = struct.unpack_from("=H", self.arena)[0], \
                struct.unpack_from(">H", self.arena, 2)[0]
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            tcp = self.call("getsockopt", fd, socket.IPPROTO_TCP, TCP_INFO,
                bytes(256), struct.pack("=I", 256)) == 0
            state = self.arena[0]
            found[fd] = tcp and state == TCP_LISTEN, port
        return found

    def socket(self, listener, port):
        return next(fd for fd, what in self.sockets().items()
            if what == (listener, port))

    def message(self, data, address=b"", control=b""):
        """Places a struct msghdr."""
        iov = self.place(struct.pack("=QQ", self.place(data), len(data)))
        return self.place(struct.pack("=QIxxxxQQQQixxxx",
            self.place(address) if address else 0, len(address), iov, 1,
            self.place(control) if control else 0, len(control), 0) +
            bytes(8))


class Seized(Staged):
    """A beacon some of whose children are taken.

    seized(role, number, epoch) says which.
    """

    def __init__(self, seized, roles=("worker",), **how):
        self.seized = seized
        self.takings = []
        super().__init__(lambda *_: False, roles, **how)

    def honest(self, role, number, epoch):
        return b"t" if self.seized(role, number, epoch) else b"h"

    def receive_taken(self, line):
        taken = Taken(line)
        with self.arrival:
            self.takings.append(taken)
            self.arrival.notify_all()

    def taken(self, role="worker", number=0, bound=BOUND):
        pid = self.pid_of(role, number)

        def found():
            return [t for t in self.takings if t.pid == pid]
        with self.arrival:
            assert self.arrival.wait_for(found, bound), "%s %d is not taken" \
                % (role, number)
        return found()[0]

    def clean_up(self):
        super().clean_up()
        for taken in self.takings:
            taken.line.close()


def address(port, host="127.0.0.1"):
    """A struct sockaddr_in."""
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + \
        socket.inet_aton(host) + bytes(8)
