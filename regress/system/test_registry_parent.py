# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What the parent does for a registry: names, files, peers (beacond.conf(5))."""

import os
import re

from beacon import Beacon, children_of, wait_for
from client import login
from registry import Registry


def known(b):
    return b.ctl("show", "registry")


def wait_up(b):
    wait_for(lambda: known(b)["link"] == "up", what="the registry to be up")


def test_a_name_is_looked_up_and_the_registry_is_shown():
    with Registry() as r:
        conf = 'registry "localhost" port %d' % r.port
        r.register(1)
        with Beacon(conf, nodes=()) as b:
            wait_up(b)
            with login(b, 1):
                wait_for(lambda: known(b)["lookups"]["found"] == 1)
            text = b.ctl("show", "registry", text=True)
            assert "registry   localhost port %d\n" % r.port in text
            assert "link       up\n" in text


def test_another_machine_is_warned_of():
    with Beacon("registry 192.0.2.1 port 9", nodes=range(1, 3)) as b:
        b.wait_line(r"registry 192.0.2.1 port 9 is not of this machine")
        with login(b, 1):
            pass


def test_the_cache_survives_a_restart():
    with Registry() as r:
        r.register(1)
        b = Beacon(r.directive, nodes=())
        cache = os.path.join(b.directory, "cache")
        b.write_conf('%s\nkeys cache "%s"' % (r.directive, cache))
        with b:
            wait_up(b)
            with login(b, 1):
                pass
            b.stop()
            assert os.stat(cache).st_mode & 0o777 == 0o600
            assert not os.path.exists(cache + ".new")
            r.hang()
            asked = len(r.lookups(1))
            b.start()
            with login(b, 1):
                pass
            assert len(r.lookups(1)) == asked


def test_a_snapshot_is_read_and_read_again_when_it_changes():
    with Registry() as r:
        r.register(1)
        b = Beacon(nodes=())
        snapshot = os.path.join(b.directory, "snapshot.json")
        b.write_conf('keys snapshot "%s"' % snapshot)
        r.snapshot(snapshot)
        os.chmod(snapshot, 0o644)
        with b:
            b.wait_line("1 keys read from snapshot")
            with login(b, 1):
                r.register(2)
                r.snapshot(snapshot)
                os.chmod(snapshot, 0o644)
                b.wait_line("2 keys read from snapshot", 15)
                with login(b, 2):
                    pass


def test_a_token_that_others_can_read_is_refused(tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o644)
    b = Beacon('admin token file "%s"' % token)
    try:
        b.launch()
        b.wait_line("not only its owner's; chmod 600")
        assert b.proc.wait(20) == 1
    finally:
        b.clean_up()


def test_a_listed_beacon_is_a_peer_and_the_token_reaches_the_registry(
        tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    with Registry(token="secret") as r:
        def conf(n):
            return "\n".join([r.directive, "beacon id %d" % n,
                "beacon register on", 'admin token file "%s"' % token])
        with Beacon(conf(1) + "\nadvertise 127.0.0.1 port 1",
                udp=True) as one:
            wait_for(lambda: known(one)["listed"], what="to be listed")
            assert re.search(r"^listed     confirmed \S.* \(00:00:\d\d ago\), "
                r"with 0 others$", one.ctl("show", "registry", text=True),
                re.MULTILINE)
            with Beacon(conf(2) + "\nadvertise localhost port 2",
                    udp=True) as two:
                wait_for(lambda: any(row["registered"] and
                    row["address"] == "127.0.0.1:1"
                    for row in two.ctl("show", "beacons")), 10,
                    "the other to be a peer")


def test_the_resolver_ends_with_the_daemon():
    with Registry() as r:
        with Beacon('registry localhost port %d' % r.port,
                nodes=range(1, 3)) as b:
            # auth, two workers, and who looks up names
            wait_for(lambda: len(children_of(b.pid)) >= 4)
