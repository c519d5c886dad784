# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Where nodes are by UDP: what one stranger can take of it."""

import struct

from beacon import Beacon, limit, wait_for
from udp import Udp, udp_of

PORTS = 64
NODES = 100         # of each port
MOST = 4096


class Crowd:
    """One host that makes up nodes, with many ports."""

    def __init__(self, b, first, host="127.0.0.66"):
        self.ports = [Udp(b.udp_port, 0, host) for _ in range(PORTS)]
        self.first = first

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for port in self.ports:
            port.close()

    def discover(self):
        for i in range(NODES):
            for n, port in enumerate(self.ports):
                port.send(struct.pack(">BI", 1, self.first + i * PORTS + n))

    def answers(self):
        """DiscoverReplies that have come."""
        count = 0
        for port in self.ports:
            try:
                while port.recv_packet(0.001)[0] == 2:
                    count += 1
            except (BlockingIOError, TimeoutError):
                pass
        return count


def wait_refused(b, count):
    """For so many that are beyond what is noted of an address, or of one in a
    second."""
    wait_for(lambda: b.metric("endpoint_source_full") +
        b.metric("endpoint_rate") >= count, 10, "refusals")


def nodes(b):
    return len(b.ctl("show", "nodes"))


@limit(90)
def test_one_address_does_not_fill_the_table():
    with Beacon(udp=True) as b, Crowd(b, 1000) as crowd:
        crowd.discover()
        wait_refused(b, PORTS * NODES - MOST)
        assert nodes(b) == MOST
        # Who is answered can be reached, who is not knows it.
        assert crowd.answers() == MOST
        with Udp(b.udp_port, 5) as u, Udp(b.udp_port, 6) as v:
            u.discover()
            v.discover()
            v.send_to(5, b"x")
            u.expect_from(6, b"x")
            # Again and again: refreshes are answered, the rest is not.
            crowd.discover()
            wait_refused(b, 2 * (PORTS * NODES - MOST))
            assert crowd.answers() == MOST
            v.send_to(5, b"y")
            u.expect_from(6, b"y")
        assert nodes(b) == MOST + 2
        assert all(c["restarts"] == 0 for c in b.children())


def test_limit_and_its_exempt():
    conf = "source node limit 3\n"
    with Beacon(conf + "source exempt 127.0.0.8/30", udp=True) as b:
        with Udp(b.udp_port, 0, "127.0.0.66") as u, \
                Udp(b.udp_port, 0, "127.0.0.9") as v:
            for i in range(1, 6):
                v.node = 100 + i
                v.discover()
                u.node = i
                if i <= 3:
                    u.discover()
                else:
                    u.send(struct.pack(">BI", 1, i))
            b.wait_metric(2, "endpoint_source_full")
            u.expect_silence()
            assert udp_of(b, 5) is None and udp_of(b, 105)
            # The other way round.
            b.write_conf(conf + "source exempt 127.0.0.66", udp=True)
            b.ctl("reload", text=True)
            u.discover()
            assert udp_of(b, 5)
            v.send(struct.pack(">BI", 1, 106))
            b.wait_metric(3, "endpoint_source_full")
            v.expect_silence()
            # What it has, it keeps.
            v.node = 101
            v.discover()
            wait_for(lambda: udp_of(b, 101))
            # No limit at all.
            b.write_conf("source node limit 0", udp=True)
            b.ctl("reload", text=True)
            v.node = 106
            v.discover()
