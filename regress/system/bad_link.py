# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A link that loses, doubles, delays and reorders what goes over it.

Two tun devices and a thread between them, which knows exactly what it has
done to datagrams; no module of the kernel is needed for it.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time

from netns import check, ip, libc

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
UDP = 17
LONGER = 0.02       # seconds, what is reordered is late
QUEUE = 100         # packets that wait for their turn at a low rate


def tun(name, namespace=None):
    """A device in this network namespace, or in another (a descriptor)."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if namespace is not None:
            check(libc.setns(namespace, 0))
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
            IFF_TUN | IFF_NO_PI))
    finally:
        check(libc.setns(here, 0))
        os.close(here)
    return fd


class BadLink:
    """From 10.98.0.1 in a namespace to 10.98.0.2, where the test is.

    loss, double, reorder: of so many packets; delay: seconds one way; rate:
    bits/s; mtu: bytes.  All can be changed while it is in use.
    """

    INSIDE, OUTSIDE = "10.98.0.1", "10.98.0.2"

    def __init__(self, namespace, enter, loss=0, double=0, reorder=0, delay=0,
            rate=0, mtu=1500, seed=1):
        self.loss, self.double, self.reorder = loss, double, reorder
        self.delay, self.rate = delay, rate
        self.random = random.Random(seed)
        self.lost = self.doubled = 0        # datagrams
        self.passed = 0
        self.failed = None
        self.waiting = []
        self.free_at = [0, 0]
        self.number = 0
        self.fds = [tun("bad0", namespace), tun("bad0")]
        for prefix, own, other in ((enter, self.INSIDE, self.OUTSIDE),
                ((), self.OUTSIDE, self.INSIDE)):
            ip("addr add", own, "peer", other, "dev bad0", prefix=prefix)
            ip("link set bad0 mtu %d up" % mtu, prefix=prefix)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for fd in self.fds:
            os.close(fd)
        if self.failed is not None:
            raise self.failed

    def run(self):
        try:
            while not self.over.is_set():
                bound = 0.05
                if self.waiting:
                    bound = max(0, min(bound,
                        self.waiting[0][0] - time.monotonic()))
                for fd in select.select(self.fds, [], [], bound)[0]:
                    self.take(self.fds.index(fd))
                self.hand_on()
        except BaseException as why:    # for whoever leaves the block
            self.failed = why

    def take(self, side):
        packet = os.read(self.fds[side], 65536)
        counts = packet[0] >> 4 == 4 and packet[9] == UDP
        if self.random.random() < self.loss or (self.rate and
                len(self.waiting) >= QUEUE):
            self.lost += counts
            return
        self.queue(side, packet)
        if self.random.random() < self.double:
            self.doubled += counts
            self.queue(side, packet)

    def queue(self, side, packet):
        due = time.monotonic()
        if self.rate:
            due = max(due, self.free_at[side]) + len(packet) * 8 / self.rate
            self.free_at[side] = due
        due += self.delay
        if self.random.random() < self.reorder:
            due += LONGER
        self.number += 1
        heapq.heappush(self.waiting, (due, self.number, 1 - side, packet))

    def hand_on(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, side, packet = heapq.heappop(self.waiting)
            os.write(self.fds[side], packet)
            self.passed += 1
