# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Clients, a proxy and the beacon, each with an address of its own.

Whose a connection is, each proxy says in the ways that its example in etc/
shows; and it is reloaded while sessions are open.
"""

import contextlib
import signal
import struct
import subprocess
import time

from websockets.exceptions import InvalidStatusCode

from beacon import children_of, limit, wait_for
from netns import HostedBeacon, Network, in_own_network
from test_interop import across
from test_proxies import Caddy, Haproxy, Nginx, Proxy
from udp import command

CLIENT, OTHER = "10.99.0.100", "10.99.0.101"
FLOODS = ["10.99.0.%d" % i for i in range(110, 116)]
PROXY_PORT = 8444


class NginxStream(Proxy):
    PORT_TOLD = True

    def command(self):
        conf = self.example("nginx-stream.conf.example", {
            "131072": "1024",
            "65536": "256",
            "127.0.0.1:8444": self.upstream,
            "listen 443 ssl": "listen %s:%d ssl" % (self.host, self.port),
            "/etc/ssl/beacon.example.org.crt": self.cert,
            "/etc/ssl/private/beacon.example.org.key": self.key})
        return ["nginx", "-e", "stderr", "-c", conf, "-g",
            "daemon off; pid %s;" % self.path("pid")]


class HaproxyV2(Haproxy):
    """As the comment in the example says."""

    PORT_TOLD = True
    HOW = "send-proxy-v2"

    def example(self, name, change):
        change = {"\toption forwardfor\n": "",
            "\tserver beacond 127.0.0.1:8443 check\n": "",
            "\t#server beacond 127.0.0.1:8444 check send-proxy-v2":
                "\tserver beacond 127.0.0.1:8443 check " + self.HOW,
            **change}
        return super().example(name, change)


class HaproxyV1(HaproxyV2):
    HOW = "send-proxy"


def told(peer):
    """What a Discover is answered."""
    peer.send(struct.pack(">BI", 1, peer.node))
    return peer.recv_packet()


def check_address(b, proxy, peer):
    """The client's, in show peer and in the answer to a Discover."""
    host, port = CLIENT, 0
    shown = b.ctl("show", "peer", peer.node)["address"]
    if hasattr(proxy, "PORT_TOLD"):
        host, _, port = shown.rpartition(":")
        assert 0 < int(port) == peer.ws.local_address[1], (proxy, shown)
    assert (host if port else shown) == CLIENT, (proxy, shown)
    assert told(peer) == command(2, CLIENT, int(port)), proxy


def check_limits(proxy, source):
    """They hold for one client, and not for the proxy of all."""
    got = [proxy.ask(source).status for _ in range(24)]
    assert 429 in got and 101 in got, (proxy, got)
    assert proxy.ask(OTHER).status == 101, proxy


@contextlib.contextmanager
def fronted(*kinds):
    network = Network(2, [CLIENT, OTHER] + FLOODS)
    conf = """
listen on 10.99.0.1 port %d proxy protocol
trusted proxy 10.99.0.2
source upgrade limit 6
""" % PROXY_PORT
    with contextlib.ExitStack() as stack:
        b = stack.enter_context(HostedBeacon(network, 1, conf))
        proxies = []
        for kind in kinds:
            proxy = kind(b, host=network.address(2), source=CLIENT,
                enter=network.enter(2))
            if hasattr(proxy, "PORT_TOLD"):
                proxy.upstream = "10.99.0.1:%d" % PROXY_PORT
            proxies.append(stack.enter_context(proxy))
        yield b, proxies


def admitted(proxy, headers, bound=5.0):
    """The client's second may be full of its own connections."""
    end = time.monotonic() + bound
    while True:
        try:
            return proxy.peer(1, extra_headers=headers)
        except InvalidStatusCode as refused:
            if refused.status_code != 429 or time.monotonic() > end:
                raise


@limit(120)
@in_own_network
def test_the_clients_address_is_known():
    with fronted(Nginx, NginxStream, Caddy, Haproxy, HaproxyV1,
            HaproxyV2) as (b, proxies):
        for proxy, source in zip(proxies, FLOODS):
            # What the client says of itself is not believed.
            for headers in ({}, {"X-Forwarded-For": "203.0.113.9",
                    "Forwarded": "for=203.0.113.9"}):
                with admitted(proxy, headers) as peer:
                    check_address(b, proxy, peer)
            check_limits(proxy, source)
        assert b.metric("failures", stage="proxy",
            reason="malformed") == 0
        assert b.metric("proxy_unknown") == 0


@limit(120)
@in_own_network
def test_proxy_that_is_not_trusted_gets_nowhere_by_its_header():
    with fronted(HaproxyV2, Haproxy) as (b, (v2, forwarded)):
        with open(b.conf_path) as f:
            conf = f.read()
        with open(b.conf_path, "w") as f:
            f.write(conf.replace("proxy 10.99.0.2", "proxy 10.99.0.3"))
        b.ctl("reload", text=True)
        assert v2.ask().status in (502, 503)
        b.wait_line("event=proxy-refused .*10.99.0.2:.* reason=untrusted")
        assert b.metric("failures", stage="proxy",
            reason="untrusted") > 0
        with forwarded.peer(1):
            shown = b.ctl("show", "peer", 1)["address"]
            assert shown.startswith("10.99.0.2:"), shown


class HaproxyMaster(Haproxy):
    """As a service runs it: the master outlives its configuration."""

    def command(self):
        return super().command() + ["-W"]


class HaproxyMasterV2(HaproxyV2, HaproxyMaster):
    pass


class CaddyService(Caddy):
    def example(self, name, change):
        return super().example(name, {key: value.replace("\tadmin off\n", "")
            for key, value in change.items()})


def reload(proxy):
    """Returns when the new one serves."""
    if isinstance(proxy, Caddy):
        subprocess.run(proxy.enter + ["caddy", "reload", "--force",
            "--adapter", "caddyfile", "--config",
            proxy.path("Caddyfile.example")], check=True,
            env={"PATH": "/usr/bin", "HOME": proxy.directory},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return
    old = set(children_of(proxy.proc.pid))
    proxy.proc.send_signal(signal.SIGHUP if isinstance(proxy,
        (Nginx, NginxStream)) else signal.SIGUSR2)
    wait_for(lambda: set(children_of(proxy.proc.pid)) - old, 20,
        "a new worker")
    wait_for(proxy.answers, what="the new proxy")


@limit(120)
@in_own_network
def test_sessions_outlive_a_reload_of_nginx_and_haproxy():
    with fronted(Nginx, NginxStream, HaproxyMaster, HaproxyMasterV2) as (
            b, proxies), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(proxy.peer(i))
            for i, proxy in enumerate(proxies, 1)]
        for proxy, old in zip(proxies, peers):
            reload(proxy)
            across(b, old, peers[0], [100], "whole")
            with proxy.peer(9) as new:
                check_address(b, proxy, new)
                across(b, old, new, [100], "whole")
        assert all(peer.events.empty() for peer in peers)
        for proxy, old in zip(proxies, peers):
            check_address(b, proxy, old)


@limit(120)
@in_own_network
def test_reload_of_caddy_ends_its_sessions_and_no_others():
    with fronted(CaddyService, Nginx) as (b, (proxy, other)):
        with other.peer(2) as stays, proxy.peer(1) as old:
            check_address(b, proxy, old)
            reload(proxy)
            assert old.events.get(timeout=20)["event"] == "close"
            b.wait_peers(1)
            # It ends them with a close frame of its own, as no client would;
            # but if it tells the client first, that may have answered.
            b.wait_line("event=end node=1 .*reason=(proxy|closed)")
            with proxy.peer(1) as new:
                check_address(b, proxy, new)
                across(b, new, stays, [100], "whole")
            assert stays.events.empty()
