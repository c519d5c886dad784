# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The page for people, at / of the metrics process."""

import re
import xml.etree.ElementTree as tree

import pytest

from beacon import wait_for
from browser import Browser
from client import login
from test_gossip import gossip_peer
from test_metrics import Metered, everything
from udp import sync


def page(b):
    status, headers, body = b.get("/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]
    return tree.fromstring(body), body


def text(element):
    return " ".join("".join(element.itertext()).split())


def rows(root):
    return [[text(cell) for cell in row] for row in root.iter("tr")]


def tiles(root):
    return [(text(tile[1]), text(tile[0])) for tile in root.iter("div")
        if len(tile) == 2 and tile[0].tag == "b"]


def test_it_says_how_things_are():
    with Metered(workers=2) as b:
        clients = [login(b, n) for n in range(1, 4)]
        wait_for(lambda: ("peers connected", "3") in tiles(page(b)[0]))
        root, _ = page(b)
        found = rows(root)
        assert ("keys of the key file", "32") in tiles(root)
        assert {row[0]: row[1] for row in found if len(row) == 8} == {
            "process": "state", "parent": "running", "auth": "running",
            "worker 0": "running", "worker 1": "running",
            "metrics": "running"}
        assert ["challenges answered and admitted (AuthOK)", "3"] in found
        for client in clients:
            client.close()


def test_refusals_stand_there_by_reason():
    with Metered(workers=1) as b:
        with b.connect() as s:
            s.sendall(b"nonsense\r\n\r\n")
            everything(s)
        client = login(b, 1)
        client.send_to(9999, b"to nobody")
        b.wait_metric(1, "drops_total", reason="not_found")
        client.send_packet(b"\x99")
        client.send_packet(b"\x99")
        # The most frequent first.
        wait_for(lambda: [row for row in rows(page(b)[0])
            if row[0].startswith("packets ")][:2] == [
                ["packets of no known type", "2"],
                ["packets for a node that is nowhere", "1"]])
        bars = [bar.get("style") for bar in page(b)[0].iter("div")
            if bar.get("class") == "bar"]
        assert bars[:2] == ["width:100.0%", "width:50.0%"]
        client.close()


def test_the_last_minutes_are_drawn():
    with Metered(workers=1) as b:
        client = login(b, 1)
        def drawn():
            lines = [line.get("points").split() for line in
                page(b)[0].iter("polyline")]
            return lines if lines and len(lines[0]) >= 2 else None
        lines = wait_for(drawn, what="two samples and the first difference")
        assert len(lines) == len(list(page(b)[0].iter("svg"))) == 7
        for line in lines:
            for point in line:
                x, y = map(float, point.split(","))
                assert 0 <= x <= 360 and 0 <= y <= 90
            assert line[-1].startswith("360.0,")
        # A peer that stays is a line at the top; nothing dropped, below.
        assert lines[0][-1] == "360.0,4.0"
        assert lines[4][-1] == "360.0,86.0"
        client.close()


def test_it_needs_nothing_else_and_fits_a_phone():
    with Metered(workers=1) as b:
        root, body = page(b)
        assert not list(root.iter("script"))
        assert set(re.findall(r'(?:src|href)="([^"]*)"', body)) == {
            "/metrics"}
        assert not re.search(r"url\(|@import|\son\w+=", body)
        assert 'name="viewport" content="width=device-width"' in body
        head = b.get("/", method="HEAD")
        assert head[0] == 200 and head[2] == ""
        assert len(body) < 64 << 10


BESIDE = """Array.from(document.querySelectorAll("*")).filter(e => {
    const r = e.getBoundingClientRect();
    return r.right > innerWidth + .5 || r.left < -.5;
}).map(e => e.tagName + " " + e.textContent)"""

BROKEN = """Array.from(document.querySelectorAll("td:first-child")).filter(
    e => e.offsetHeight > 60).map(e => e.textContent)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_all_of_it(width):
    """No wider than the screen, no word in pieces, nothing asked for
    elsewhere; and it looks alike without scripts, as it has none."""
    peer, conf = gossip_peer()
    with Metered(conf + "\n", workers=2, udp=True) as b, \
            login(b, 1) as client, Browser(width) as browser:
        peer.to = ("127.0.0.1", b.udp_port)
        peer.send(sync(2, [100]))
        client.send_to(9999, b"to nobody")
        wait_for(lambda: "nowhere" in page(b)[1] and "heard<" in page(b)[1])
        browser.open("http://127.0.0.1:%d/" % b.metrics_port)
        assert browser.ask("innerWidth") == width
        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.ask(BESIDE) == []
        assert browser.ask(BROKEN) == []
        assert browser.ask("document.title") == "beacond"
        assert browser.ask("document.querySelectorAll('svg').length") == 7
        assert browser.ask("performance.getEntriesByType('resource').map("
            "e => e.name).filter(n => !n.endsWith('/favicon.ico'))") == []
        shown = browser.ask("document.body.innerText")
        for words in ("peers connected", "worker 1", "%s:%d" % (peer.host,
                peer.port), "packets for a node that is nowhere"):
            assert words in shown, shown
        # Bars and lines have a colour of their own.
        assert browser.ask("getComputedStyle(document.querySelector("
            "'.bar')).backgroundColor") == "rgb(194, 65, 12)"
    peer.close()
