# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Listeners that a reload adds and removes: nobody else notices."""

import os
import re
import socket
import subprocess

import pytest

from beacon import Beacon, wait_for
from client import Client, login, relay
from test_metrics import CONF as METRICS, values
from test_service import Activated, all_are_answered, bound, udp_group
from test_start import free_port
from udp import Udp

LISTEN = "listen on 127.0.0.1 port %d\n"
UDP = "listen udp on 127.0.0.1 port %d\n"
ALSO = "listen on 127.0.0.1 port 0\n"


def reload(b, conf, ok=0, **how):
    """Reloads with that; the lines of the log that came of it."""
    before = len(b.lines)
    b.write_conf(conf, **how)
    b.ctl("reload", text=True, ok=ok)
    b.wait_line("configuration read again|nothing changed", after=before)
    return b.lines[before:]


def port_of(lines, kind="websocket"):
    """Of the one listener that has come."""
    port, = (int(m.group(1)) for m in (re.search(
        r"^beacond: listening on \S+:(\d+) \(%s\)$" % kind, line)
        for line in lines) if m)
    return port


def refuses(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def everywhere(b, port, nodes, host="127.0.0.1"):
    """Sessions through that port on all workers."""
    clients = [Client(port, host=host) for _ in nodes]
    for client, node in zip(clients, nodes):
        client.login(node)
    used = {p["worker"] for p in b.peers() if p["node"] in nodes}
    assert used == {0, 1}, used
    return clients


def test_websocket_listener_comes_and_goes():
    with Beacon() as b, login(b, 1) as one:
        port = port_of(reload(b, ALSO))
        through = everywhere(b, port, range(2, 26))
        lines = reload(b, "")
        assert any("not listening on 127.0.0.1:%d (websocket) any more" % port
            in line for line in lines), lines
        wait_for(lambda: refuses(port))
        # Sessions stay, whichever way they came.
        for node, client in enumerate(through, 2):
            one.send_to(node, b"still there")
            client.expect_from(1, b"still there")
            client.close()
        login(b, 30).close()
        one.in_step()


def test_who_has_connected_before_it_goes_is_served():
    with Beacon() as b:
        port = port_of(reload(b, ALSO))
        waiting = [socket.create_connection(("127.0.0.1", port))
            for _ in range(20)]
        for s in waiting:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reload(b, "")
        for s in waiting:
            assert s.recv(100).startswith(b"HTTP/1.1 200 ")
            s.close()


def test_listener_for_all_addresses_in_place_of_one():
    port = free_port()
    with Beacon(LISTEN % port, listen=False) as b, login(b, 1) as one:
        lines = reload(b, "listen on 0.0.0.0 port %d\n" % port, listen=False)
        assert port_of(lines) == port
        with Client(port, host="127.0.0.9") as client:
            client.login(2)
            one.send_to(2, b"x")
            client.expect_from(1, b"x")
        # Nobody else of our user gets the port.
        with bound(socket.SOCK_STREAM) as s, pytest.raises(OSError):
            s.bind(("127.0.0.1", port))
        reload(b, LISTEN % port, listen=False)
        login(b, 3).close()


def test_successors_get_what_there_is_now():
    with Beacon() as b:
        gone = b.port
        port = port_of(reload(b, "listen on 127.0.0.2 port 0", listen=False))
        for worker in 0, 1:
            b.wait_new("worker", b.kill("worker", worker), worker)
        for client in everywhere(b, port, range(1, 25), "127.0.0.2"):
            client.close()
        assert refuses(gone)


def test_udp_listeners_come_and_go_and_are_steered():
    with Beacon() as b, login(b, 1) as one:
        b.udp_port = first = port_of(reload(b, UDP % 0), "udp")
        all_are_answered(b)
        b.udp_port = port_of(reload(b, UDP % first + UDP % 0), "udp")
        all_are_answered(b)
        with Udp(b.udp_port, 100) as far:
            far.join(b)
            one.send_to(100, b"x")
            far.expect_from(1, b"x")
            # The way to it is gone, and any other is taken.
            reload(b, UDP % first)
            one.send_to(100, b"y")
            one.in_step()
            assert b.metric("drops", reason="udp_send") == 0
            far.to = ("127.0.0.1", first)
        with Udp(first, 200) as near:
            near.join(b)
            near.send(relay(200, 1, b"by the first"))
            one.expect_from(200, b"by the first")
        assert b.metric("udp_misdirected") == 0
        assert not any("not steered" in line for line in b.lines)
        reload(b, "")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", first))

            def refused():
                try:
                    s.send(b"")
                    return False
                except ConnectionRefusedError:
                    return True
            wait_for(refused)


def metrics_pid(b):
    return next((c["pid"] for c in b.children() if c["role"] == "metrics"), 0)


def scrape(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return values(text.partition("\r\n\r\n")[2])


def test_metrics_begin_move_and_end():
    with Beacon() as b, login(b, 1):
        port = port_of(reload(b, METRICS), "metrics")
        wait_for(lambda: scrape(port)["pilot_beacon_wss_active"] == 1)
        pid = metrics_pid(b)
        moved = port_of(reload(b, METRICS.replace(".1 ", ".2 ")), "metrics")
        wait_for(lambda: refuses(port))
        assert metrics_pid(b) == pid
        with socket.create_connection(("127.0.0.2", moved), 5) as s:
            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        reload(b, "")
        wait_for(lambda: metrics_pid(b) == 0)
        port = port_of(reload(b, METRICS), "metrics")
        wait_for(lambda: scrape(port)["pilot_beacon_wss_active"] == 1)
        assert metrics_pid(b) not in (0, pid)
        b.note_children()


def test_what_cannot_be_bound_changes_nothing():
    with socket.socket() as other, Beacon() as b, login(b, 1) as one:
        other.bind(("127.0.0.1", 0))
        other.listen()
        before = b.listening("websocket")
        lines = reload(b, "max peers 7\n" + ALSO + UDP % 0 + METRICS +
            LISTEN % other.getsockname()[1], ok=1)
        assert any(re.search(re.escape(b.conf_path) + r":\d+: cannot listen on "
            r"127\.0\.0\.1:%d: bind: Address already in use" %
            other.getsockname()[1], line) for line in lines), lines
        assert any("nothing changed" in line for line in lines), lines
        assert b.listening("websocket") == before
        assert b.ctl("show", "summary")["max_peers"] != 7
        assert metrics_pid(b) == 0
        one.in_step()
        login(b, 2).close()


def test_sockets_of_the_service_manager_stay():
    tcp, spare = bound(socket.SOCK_STREAM), bound(socket.SOCK_STREAM)
    for s in tcp, spare:
        s.bind(("127.0.0.1", 0))
        s.listen(100)
    udp, udp_line = udp_group(2)
    first = LISTEN % tcp.getsockname()[1]
    both = first + LISTEN % spare.getsockname()[1] + udp_line + "\n"
    with Activated([tcp, spare, *udp], conf=first, listen=False,
            unprivileged=True) as b, login(b, 1) as one:
        b.wait_line("no .listen. line has its address")
        for _ in range(2):
            lines = reload(b, both, listen=False)
            b.udp_port = port_of(lines, "udp")
            all_are_answered(b)
            assert not any("not steered" in line for line in lines)
            with Client(spare.getsockname()[1]) as client:
                client.login(2)
            lines = reload(b, first, listen=False)
            assert any("has its socket open all the same" in line
                for line in lines), lines
        # Beyond them there is no network here, and it says so.
        lines = reload(b, first + "listen on 127.0.0.3 port 0\n", listen=False,
            ok=1)
        assert any(re.search(r"cannot listen on 127\.0\.0\.3:0: ", line)
            for line in lines), lines
        one.in_step()


def test_beside_those_of_the_service_manager_others_are_bound():
    with bound(socket.SOCK_STREAM) as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(100)
        first = LISTEN % tcp.getsockname()[1]
        with Activated([tcp], online=True, conf=first, listen=False,
                unprivileged=True) as b:
            port = port_of(reload(b, first + ALSO, listen=False))
            with Client(port) as client:
                client.login(1)
            login(b, 2).close()


def test_an_address_begins_and_ceases_to_be_for_proxies():
    port = free_port()
    with Beacon(LISTEN % port, listen=False) as b, login(b, 1) as one:
        reload(b, "listen on 127.0.0.1 port %d proxy protocol\n" % port,
            listen=False)
        with Client(port) as client:
            client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n")
            client.login(2)
            assert b.ctl("show", "peer", 2)["address"].startswith("192.0.2.7")
        reload(b, LISTEN % port, listen=False)
        login(b, 3).close()
        one.in_step()


def test_whoever_asks_for_a_reload_hears_what_came_of_it():
    with Beacon() as b:
        def said(conf, ok):
            b.write_conf(conf)
            run = subprocess.run([os.path.join(b.programs, "beaconctl"), "-s",
                b.socket, "reload"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, timeout=15)
            assert run.returncode == ok, run
            return run.stderr
        with open(b.keys_path, "a") as f:
            f.write("nonsense\n")
        text = said("", 0)
        assert re.search(r"^auth: .*keys:33: ", text, re.M), text
        assert "32 keys read" in text and "1 lines skipped" in text, text
        b.write_conf("nonsense")
        assert re.search(r"^%s:\d+: .*nonsense" % re.escape(b.conf_path),
            said("nonsense", 1), re.M)
        assert '"user" has changed: needs a restart' in said(
            'worker user "games"', 3)
