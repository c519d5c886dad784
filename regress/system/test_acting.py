# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What an operator does to a beacon that runs, and nobody else notices."""

import os
import stat
import struct
import time

from beacon import IS_ROOT, Beacon, wait_for, write
from client import BINARY, TEXT, Client, frame, login, relay, request
from test_gossip import gossip_peer, learned
from udp import Udp, sync


def dropped(b, reason):
    return b.metric("drops", reason=reason)


def test_source_byte_limit():
    with Beacon("source packet limit 0\nsource byte limit 10000") as b:
        with login(b, 1) as one, login(b, 2) as two:
            one.send(b"".join(frame(BINARY, relay(1, 2, bytes(991)))
                for _ in range(100)))
            one.in_step()
            # Another node's budget is its own.
            two.send_to(2, b"mine")
            while two.recv_packet()[5:] != b"mine":
                pass
            # 10 in each second, of which there were one or two.
            assert dropped(b, "byte_rate") in range(70, 91)
            assert dropped(b, "rate") == 0


def test_source_byte_limit_by_udp():
    with Beacon("source packet limit 0\nsource byte limit 10000",
            udp=True) as b, Udp(b.udp_port, 5) as u:
        for _ in range(100):
            u.send(relay(5, 1, bytes(991)))
        wait_for(lambda: b.metric("udp_packets") == 100)
        assert dropped(b, "byte_rate") in range(70, 91)


def test_a_reload_changes_both_limits_of_a_session():
    with Beacon("source packet limit 0") as b, login(b, 1) as one:
        def burst():
            one.send(b"".join(frame(BINARY, relay(1, 9, bytes(100)))
                for _ in range(100)))
            one.in_step()
        for conf, reason in (("source packet limit 10", "rate"),
                ("source packet limit 0\nsource byte limit 1000",
                    "byte_rate")):
            before = dropped(b, reason)
            burst()
            assert dropped(b, reason) == before
            b.write_conf(conf)
            b.ctl("reload", text=True)
            burst()
            assert dropped(b, reason) - before in range(70, 100)
            b.write_conf("source packet limit 0")
            b.ctl("reload", text=True)


def stopped(b):
    """And nothing more of its log comes."""
    b.stop()
    b.reader.join()


BOUND = 1.0         # within which all workers know


def blocked(b):
    return b.ctl("show", "blocked")


def test_a_dropped_node_may_come_back():
    with Beacon() as b:
        for node in range(1, 5):            # on either worker
            with login(b, node) as client:
                b.ctl("drop", node, text=True)
                client.expect_close(1008, "closed by the operator", BOUND)
            wait_for(lambda: b.peer(node) is None)
            with login(b, node):
                pass
        b.wait_metric(4, "dropped")
        assert b.metric("wss_revoked") == 0
        b.ctl("drop", 9, text=True, ok=1)
        b.wait_line("node 4: session closed by the operator")


def test_a_blocked_node_hears_what_any_refused_one_hears():
    with Beacon() as b:
        with login(b, 1) as one, login(b, 2) as two:
            b.ctl("block", 1, text=True)
            one.expect_close(1008, "auth failed", BOUND)
            assert b.peer(1) is None
            two.send_to(1, b"x")
            b.wait_metric(1, "drops", reason="not_found")
            for _ in range(4):              # on either worker
                with Client(b.port) as again:
                    again.send_reply(1)
                    again.expect_close(1008, "auth failed", BOUND)
            two.in_step()                   # and nobody else notices
        b.wait_metric(4, "refused", reason="blocked")
        assert blocked(b) == [{"node": 1, "until": None}]
        b.ctl("unblock", 1, text=True)
        assert blocked(b) == []
        b.ctl("unblock", 1, text=True, ok=1)
        with login(b, 1):
            pass


def test_a_block_ends_when_its_time_is_over():
    with Beacon() as b:
        b.ctl("block", 1, "for", "2s", text=True)
        b.ctl("block", "192.0.2.7/24", "for", "1h", text=True)
        one, net = sorted(blocked(b), key=lambda row: row["until"])
        assert one["node"] == 1 and 0 < one["until"] - time.time() < 3
        assert net["network"] == "192.0.2.0/24"
        assert 3590 < net["until"] - time.time() <= 3601
        # A second block says until when.
        b.ctl("block", "192.0.2.0/24", text=True)
        assert {"network": "192.0.2.0/24", "until": None} in blocked(b)
        b.wait_line("node 1: blocked no more, its time is over")
        with login(b, 1):
            pass
        assert len(blocked(b)) == 1


def test_discovers_of_a_blocked_node_are_not_remembered():
    with Beacon(udp=True) as b, Udp(b.udp_port, 5) as u, \
            Udp(b.udp_port, 6) as v:
        u.join(b)
        v.join(b)
        b.ctl("block", 5, text=True)
        b.ctl("show", "node", 5, ok=1)
        u.send(struct.pack(">BI", 1, 5))
        b.wait_metric(1, "endpoint_blocked")
        v.send_to(5, b"x")
        b.wait_metric(1, "drops", reason="not_found")
        u.expect_silence()
        b.ctl("unblock", 5, text=True)
        u.join(b)


def login_as(b, node, address):
    """As a proxy on this machine has it."""
    client = Client(b.port)
    client.upgrade(X_Forwarded_For=address)
    client.send_text(client.reply(node, client.challenge()))
    assert b"auth_ok" in client.expect(TEXT)
    client.node = node
    return client


def status_for(b, address):
    with Client(b.port) as client:
        client.send(request(X_Forwarded_For=address))
        return client.answer().status


def test_a_blocked_network_by_websocket():
    with Beacon() as b:
        with login_as(b, 1, "192.0.2.9") as one, \
                login_as(b, 2, "2001:db8::2") as two, \
                login_as(b, 3, "198.51.100.1") as three:
            b.ctl("block", "192.0.2.0/24", text=True)
            b.ctl("block", "2001:db8::/64", text=True)
            one.expect_close(1008, "auth failed", BOUND)
            two.expect_close(1008, "auth failed", BOUND)
            for address in ("192.0.2.200", "2001:db8::77") * 2:
                assert status_for(b, address) == 403
            b.wait_metric(4, "refused", reason="blocked")
            three.in_step()
        # One worker that was started since knows, too.
        for worker in (0, 1):
            b.wait_new("worker", b.kill("worker", worker), worker)
        assert status_for(b, "192.0.2.200") == 403
        b.ctl("unblock", "192.0.2.0/24", text=True)
        with login_as(b, 1, "192.0.2.9"):
            pass


def test_who_connects_from_a_blocked_network_is_hung_up_on():
    """Where no proxy is trusted, this machine is a network like others."""
    with Beacon("trusted proxy { 192.0.2.1 }") as b:
        with Client(b.port, source="127.0.0.9") as before, \
                login(b, 1, source="127.0.1.1") as one:
            before.send(b"GET /v1/compat HTTP/1.1\r\n")
            b.wait_metric(2, "accepted")
            b.ctl("block", "127.0.0.0/24", text=True)
            before.expect_end(BOUND)
            for _ in range(8):
                with Client(b.port, source="127.0.0.9") as client:
                    client.send(b"GET /v1/compat HTTP/1.1\r\n")
                    client.expect_end(BOUND)
            b.wait_metric(9, "refused", reason="blocked")
            one.in_step()


def test_a_blocked_network_by_udp():
    peer, conf = gossip_peer()
    with peer, Beacon(conf, udp=True, workers=4) as b, \
            Udp(b.udp_port, 5) as u:
        u.join(b)
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100]))
        wait_for(lambda: learned(b, 100))
        b.ctl("block", "127.0.0.0/8", text=True)
        b.ctl("show", "node", 5, ok=1)
        b.ctl("show", "node", 100, ok=1)
        for _ in range(16):         # to any worker
            with Udp(b.udp_port, 7) as v:
                v.send(struct.pack(">BI", 1, 7))
        b.wait_metric(16, "drops", BOUND, reason="blocked")
        b.ctl("unblock", "127.0.0.0/8", text=True)
        u.join(b)


def test_the_table_of_blocks_is_bounded():
    with Beacon() as b:
        write(os.path.join(b.directory, "blocks"), "".join(
            "node %d until 0\n" % n for n in range(1, 4096)))
        if IS_ROOT:
            os.chown(os.path.join(b.directory, "blocks"), 0, 0)
        stopped(b)
        b.write_conf('blocks file "%s/blocks"' % b.directory)
        b.start()
        assert len(blocked(b)) == 4095
        b.ctl("block", "192.0.2.0/24", text=True)
        b.ctl("block", "192.0.3.0/24", text=True, ok=1)
        b.wait_metric(1, "blocks_full")
        b.wait_line("block: there are 4096 already")


def test_blocks_are_kept_over_a_restart():
    with Beacon() as b:
        path = os.path.join(b.directory, "blocks")
        stopped(b)
        b.write_conf('blocks file "%s"' % path)
        b.start()
        b.ctl("block", 1, text=True)
        b.ctl("block", "192.0.2.0/24", "for", "1d", text=True)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        before = blocked(b)
        stopped(b)
        b.start()
        # A second may be lost between two clocks.
        assert [dict(row, until=None) for row in blocked(b)] == [
            dict(row, until=None) for row in before]
        assert abs(blocked(b)[1]["until"] - before[1]["until"]) <= 1
        with Client(b.port) as client:
            client.send_reply(1)
            client.expect_close(1008, "auth failed", BOUND)
        assert status_for(b, "192.0.2.200") == 403
        # Where it can't be written, the operator is told.
        os.mkdir(path + ".new")
        b.ctl("unblock", 1, text=True, ok=1)
        os.rmdir(path + ".new")
        with login(b, 1):
            pass
        stopped(b)
        os.chmod(path, 0o666)
        b.launch()
        b.wait_line("blocks file .*: not a file that we have written")
        assert b.proc.wait(20) == 1
        b.reader.join()
        os.unlink(path)
        b.start()
        assert blocked(b) == []


def test_lists_are_chosen_and_sorted():
    with Beacon(udp=True) as b, Udp(b.udp_port, 9) as u:
        u.join(b)
        clients = [login(b, node) for node in (5, 3, 4, 1)]

        def nodes(*how):
            return [row["node"] for row in b.ctl("show", *how)]
        assert nodes("peers", "sort", "node") == [1, 3, 4, 5]
        assert nodes("peers", "sort", "node", "limit", 2) == [1, 3]
        assert len(nodes("peers", "limit", 3)) == 3
        ages = [row["since"] for row in b.ctl("show", "peers", "sort", "age")]
        assert ages == sorted(ages) and len(ages) == 4
        # Each has sent its login; one does more than the others.
        clients[2].send_to(5, bytes(5000))
        clients[0].expect_from(4, bytes(5000))
        rows = b.ctl("show", "peers", "sort", "traffic")
        assert {row["node"] for row in rows[:2]} == {4, 5}, rows
        assert rows[0]["bytes_in"] + rows[0]["bytes_out"] > 5000
        assert {row["address"] for row in rows} == {
            "127.0.0.1:%d" % c.sock.getsockname()[1] for c in clients}
        assert sorted(nodes("peers", "traffic", 5000)) == [4, 5]
        assert nodes("peers", "sort", "node", "traffic", 1) == [1, 3, 4, 5]
        assert len(nodes("peers", "from", "127.0.0.0/8")) == 4
        assert nodes("peers", "from", "192.0.2.0/24") == []
        where = {row["node"]: row["worker"] for row in b.peers()}
        for worker in (0, 1):
            assert nodes("peers", "sort", "node", "worker", worker) == sorted(
                node for node in where if where[node] == worker)
            assert nodes("nodes", "sort", "node", "worker", worker) == sorted(
                node for node in where if where[node] == worker)
        assert nodes("nodes", "from", "127.0.0.0/8") == [9]
        assert nodes("nodes", "from", "192.0.2.0/24") == []
        assert nodes("nodes", "sort", "node") == [1, 3, 4, 5, 9]
        for client in clients:
            client.close()
