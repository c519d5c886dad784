# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What an operator does to a beacon that runs, and nobody else notices."""

from beacon import Beacon, wait_for
from client import BINARY, frame, login, relay
from udp import Udp


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
