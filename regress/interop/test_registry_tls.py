# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A registry that speaks TLS, behind each local TLS client with its example
from etc/.

Only addresses, ports, users, certificates and names of the examples are
changed.
"""

import contextlib
import socket
import tempfile

import pytest

import registry
from beacon import Beacon, wait_for
from registry import Registry
from test_proxies import Proxy
from test_registry import LATER, enter, refused


class Tunnel(Proxy):
    """Of a registry whose certificate is expected to be that, by its path and
    its SHA-256."""

    def __init__(self, registry, pem, pin):
        super().__init__(registry)
        self.registry = registry
        self.pem = pem
        self.pin = pin

    def answers(self):
        """It takes connections, before anybody else does."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False


class Stunnel(Tunnel):
    def command(self):
        conf = self.example("stunnel.conf.example", {
            "setuid = stunnel4\nsetgid = stunnel4\n": "",
            "127.0.0.1:900": "127.0.0.1:%d" % self.port,
            "registry.example.org:443\n; Public": "127.0.0.1:%d\n; Public" %
                self.registry.port,
            "/etc/stunnel/registry.pem\n; beacond": self.pem + "\n;"})
        return ["stunnel4", conf]


class HaproxyTunnel(Tunnel):
    def command(self):
        conf = self.example("haproxy-registry.cfg.example", {
            "\tuser haproxy\n\tgroup haproxy\n": "",
            "127.0.0.1:900": "127.0.0.1:%d" % self.port,
            "server registry registry.example.org:443":
                "server registry 127.0.0.1:%d" % self.registry.port,
            "0" * 64: self.pin.upper()})
        return ["haproxy", "-db", "-f", conf]


TUNNELS = [Stunnel, HaproxyTunnel]


def beacon_of(tunnel):
    return Beacon("registry 127.0.0.1 port %d" % tunnel.port, None)


@pytest.mark.parametrize("kind", TUNNELS)
def test_the_pinned_registry_is_asked(kind):
    with tempfile.TemporaryDirectory() as at:
        tls, pin = registry.certificate(at)
        with Registry(tls=tls) as r, kind(r, tls[0], pin) as tunnel, \
                beacon_of(tunnel) as b:
            r.register(1)
            enter(b, 1)
            refused(b, 2)
            last = r.requests[-1].connection
            r.drop()
            wait_for(lambda: r.requests[-1].connection > last, 8)
            r.register(3)
            enter(b, 3)


@pytest.mark.parametrize("kind", TUNNELS)
def test_another_one_is_told_nothing_and_not_believed(kind):
    with tempfile.TemporaryDirectory() as at:
        tls, _ = registry.certificate(at)
        other, pin = registry.certificate(at, "other")
        with Registry(tls=tls) as r, kind(r, other[0], pin) as tunnel, \
                beacon_of(tunnel) as b:
            r.register(1)
            refused(b, 1, *LATER)
            b.wait_line("registry .*closed")
            assert {q.kind for q in r.requests} <= {"heartbeat",
                "beacon_list"}, r.requests
