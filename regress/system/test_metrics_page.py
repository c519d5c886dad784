# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The page for people, at / of the metrics process."""

import re
import xml.etree.ElementTree as tree

from beacon import wait_for
from client import login
from test_metrics import Metered, everything


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


def test_it_says_how_things_are():
    with Metered(workers=2) as b:
        clients = [login(b, n) for n in range(1, 4)]
        wait_for(lambda: ["peers connected", "3"] in rows(page(b)[0]))
        root, _ = page(b)
        found = rows(root)
        assert ["public keys", "32"] in found
        assert {row[0]: row[1] for row in found if len(row) == 6} == {
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
        wait_for(lambda: ["packets for a node that is nowhere", "1"] in
            rows(page(b)[0]))
        client.close()


def test_the_last_minutes_are_drawn():
    with Metered(workers=1) as b:
        client = login(b, 1)
        def drawn():
            lines = [line.get("points").split() for line in
                page(b)[0].iter("polyline")]
            return lines if lines and len(lines[0]) >= 2 else None
        lines = wait_for(drawn, 20, "two samples and the first difference")
        assert len(lines) == len(list(page(b)[0].iter("svg"))) == 5
        for line in lines:
            for point in line:
                x, y = map(float, point.split(","))
                assert 0 <= x <= 360 and 0 <= y <= 90
            assert line[-1].startswith("360.0,")
        # A peer that stays is a line at the top; nothing dropped, below.
        assert lines[0][-1] == "360.0,4.0"
        assert lines[2][-1] == "360.0,86.0"
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
