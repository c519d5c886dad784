# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Beacons find each other by the registry's list (doc/protocol.md 6)."""

import os
import tempfile

from beacon import limit, wait_for
from client import Client
from machine import OnMachine
from netns import HostedBeacon, Network, in_own_network
from registry import Registry
from test_mesh import NODES, ROUND, known

TOKEN = "a-token-that-nobody-guesses"


class Listed(OnMachine, HostedBeacon):
    """Signs on with the registry; no peer is configured."""

    def __init__(self, network, r, i, token=TOKEN):
        self.token = token
        super().__init__(network, i, "\n".join([r.directive,
            "beacon register on",
            "advertise %s port %d" % (network.address(i), self.UDP_PORT)]))

    def write_conf(self, conf, *args):
        path = os.path.join(self.directory, "token")
        with open(path, "w") as f:
            f.write(self.token + "\n")
        os.chmod(path, 0o600)
        super().write_conf(conf + '\nadmin token file "%s"' % path, *args)


def places(r):
    return {i: address for i, (address, _) in r.beacons.items()}


@limit(90)
@in_own_network
def test_two_beacons_find_each_other_by_the_list():
    network = Network(2, [NODES])
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        with Registry(path=at + "/registry", token=TOKEN) as r, \
                Listed(network, r, 1) as one:
            wait_for(lambda: places(r) == {1: "10.99.0.1:9001"}, 10,
                "the first to be listed")
            with Listed(network, r, 2) as two, \
                    Client(one.port, host=one.host) as a, \
                    Client(two.port, host=two.host) as b:
                a.login(1)
                b.login(2)
                wait_for(lambda: set(places(r)) == {1, 2}, 10,
                    "both to be listed")
                # The first asks for the list again, and then there is gossip.
                for seconds in (31, 11, 11):
                    one.spend(seconds)
                    two.spend(seconds)
                wait_for(lambda: 2 in known(one) and 1 in known(two),
                    2 * ROUND, "gossip")
                a.send_to(2, b"by the list")
                b.expect_from(1, b"by the list")


@in_own_network
def test_a_wrong_token_is_named():
    network = Network(1, [NODES])
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        with Registry(path=at + "/registry", token=TOKEN) as r, \
                Listed(network, r, 1, token="wrong") as b:
            b.wait_line("invalid admin token", 10)
            assert not places(r)
            # The list is asked for all the same.
            wait_for(lambda: any(q.kind == "beacon_list" for q in r.requests))
