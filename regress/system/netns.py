# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A network of a test's own: namespaces that a bridge joins.

Nothing of it is seen outside, and nothing is left of it when the test ends.
"""

import ctypes
import functools
import os
import subprocess
import sys

from beacon import IS_ROOT, Beacon

CLONE_NEWNET = 0x40000000
INSIDE = "BEACOND_IN_OWN_NETWORK"

libc = ctypes.CDLL(None, use_errno=True)


def in_own_network(test):
    """Runs a test in a new network namespace.

    Without root that takes a user namespace as well.
    """
    @functools.wraps(test)
    def run():
        if INSIDE in os.environ:
            return test()
        argv = ["unshare", "--net"]
        if not IS_ROOT:
            argv += ["--user", "--map-current-user", "--keep-caps"]
        call = "import %s as m; m.%s()" % (test.__module__, test.__name__)
        done = subprocess.run(argv + [sys.executable, "-c", call],
            env=dict(os.environ, PYTHONPATH=":".join(sys.path),
                **{INSIDE: "1"}))
        assert done.returncode == 0, "see above"
    return run


def ip(*args, prefix=()):
    subprocess.run([*prefix, "ip", *" ".join(args).split()], check=True)


def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "namespace")


def new_namespace():
    """Returns a descriptor; the namespace lasts while something has it."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    check(libc.unshare(CLONE_NEWNET))
    there = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    check(libc.setns(here, CLONE_NEWNET))
    os.close(here)
    return there


class Network:
    """Host i has 10.99.0.i; what the test itself opens is outside of all
    hosts, and has the addresses in `outside`."""

    def __init__(self, hosts, outside):
        ip("link set lo up")
        ip("link add br0 type bridge")
        for address in outside:
            ip("addr add %s/24 dev br0" % address)
        ip("link set br0 up")
        self.namespaces = {}
        for i in range(1, hosts + 1):
            self.add(i)

    def add(self, i):
        self.namespaces[i] = new_namespace()
        ip("link add port%d master br0 type veth" % i,
            "peer name eth0 netns", self.path(i))
        ip("link set port%d up" % i)
        ip("addr add %s/24 dev eth0" % self.address(i),
            prefix=self.enter(i))
        for device in ("lo", "eth0"):
            ip("link set %s up" % device, prefix=self.enter(i))

    def path(self, i):
        return "/proc/%d/fd/%d" % (os.getpid(), self.namespaces[i])

    def address(self, i):
        return "10.99.0.%d" % i

    def enter(self, i):
        """What to put before a command for it to run on host i."""
        return ["nsenter", "--net=" + self.path(i)]


class HostedBeacon(Beacon):
    """A beacon on a host of its own, with the usual ports."""

    WS_PORT = 8443
    UDP_PORT = 9001

    def __init__(self, network, i, conf="", peers=()):
        self.network = network
        self.number = i
        self.host = network.address(i)
        lines = ["beacon id %d" % i,
            "listen on %s port %d" % (self.host, self.WS_PORT),
            "listen udp on %s port %d" % (self.host, self.UDP_PORT)]
        lines += ["peer beacon %s port %d" % (peer, self.UDP_PORT)
            for peer in peers]
        super().__init__("\n".join(lines + [conf]), listen=False)

    def command(self, *args):
        argv = self.network.enter(self.number)
        if not IS_ROOT:
            # What was needed to enter is not for the beacon.
            argv += ["setpriv", "--ambient-caps=-all", "--inh-caps=-all"]
        return argv + super().command(*args)
