# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What happens to clients: one line each in the log, in one form."""

import datetime
import json
import os
import re
import shutil
import signal
import struct
import time
import subprocess

from beacon import Beacon, wait_for, write
from client import (BINARY, CLOSE, Client, frame, header, login,
    relay, request)
from udp import Udp, sync

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FILTER = os.path.join(ROOT, "etc", "fail2ban.conf.example")
HEAD = ["event", "node", "remote", "worker", "reason"]


def fields(line):
    """(process, {name: value}) of a line of an event; else None."""
    m = re.match(r"(\S+): (event=.*)", line)
    if m is None:
        return None
    found = re.findall(r' ?([a-z_]+)=("(?:\\.|[^"\\])*"|[^ "]+)', m.group(2))
    assert " ".join("%s=%s" % kv for kv in found) == m.group(2), line
    names = [name for name, _ in found]
    assert names[:5] == HEAD and len(set(names)) == len(names), line
    return m.group(1), dict(found)


def events(b):
    return [e[1] for e in map(fields, list(b.lines)) if e is not None]


def wait_event(b, event, reason="-", **more):
    """The one such line there is; others may follow."""
    def found():
        return [e for e in events(b) if e["event"] == event and
            e["reason"] == reason and
            all(e[k] == v for k, v in more.items())]
    wait_for(found, what="event %s %s %s" % (event, reason, more))
    assert len(found()) == 1, found()
    return found()[0]


def answered(b, status, data):
    with Client(b.port) as client:
        client.send(data)
        assert client.answer().status == status


def failures(b, stage):
    return {re.search('reason="(.*)"', name).group(1): value
        for name, value in b.metrics().items()
        if 'wss_failures_total{stage="%s"' % stage in name}


def test_logins_and_ends():
    with Beacon("idle timeout 2\nping interval 1", udp=True) as b:
        with login(b, 1) as client:
            port = str(client.sock.getsockname()[1])
            client.send_to(2, b"lost")
            client.send_to(1, b"found")
            client.expect_from(1, b"found")
            worker = str(b.worker_of(1))
            e = wait_event(b, "login", node="1")
            assert e == {"event": "login", "node": "1", "reason": "-",
                "remote": "127.0.0.1:" + port, "worker": worker}
            client.send(frame(CLOSE, struct.pack(">H", 1000)))
            client.expect_close(1000)
        e = wait_event(b, "end", "closed", node="1")
        assert e["remote"] == "127.0.0.1:" + port
        assert int(e["seconds"]) < 5 and (e["in"], e["out"]) == ("2", "1"), e
        login(b, 2).close()
        wait_event(b, "end", "lost", node="2")
        with login(b, 3) as client, login(b, 3):
            client.expect_close(1000)
            wait_event(b, "end", "replaced", node="3")
        with login(b, 4) as client:
            client.send(frame(BINARY, b"x", mask=None))
            client.expect_close(1002)
            e = wait_event(b, "end", "protocol", node="4")
            assert e["note"] == '"frame without a mask"'
        with login(b, 5) as client:
            client.send(header(BINARY, 100000, mask=b"abcd"))
            client.expect_close(1009)
            wait_event(b, "end", "too_big", node="5")
        # Caddy says goodbye so when it is reloaded.
        with login(b, 6) as client:
            client.send(frame(CLOSE, struct.pack(">H", 1001), mask=None))
            client.expect_close(1002)
            e = wait_event(b, "end", "proxy", node="6")
            assert "no fault of the peer" in e["note"]
        with login(b, 7) as silent:
            e = wait_event(b, "end", "idle", node="7")
            assert e["seconds"] in ("2", "3")
            silent.close()
        with login(b, 8) as client:
            b.write_keys(open(b.keys_path).read().replace("\n8 ", "\n800 "))
            b.ctl("reload", text=True)
            client.expect_close(1008)
            wait_event(b, "end", "revoked", node="8")
        with login(b, 9) as client, Client(b.port) as half:
            half.upgrade()
            half.challenge()
            os.kill(b.pid, signal.SIGTERM)
            client.expect_close(1001)
            half.expect_close(1001)
            wait_event(b, "end", "shutdown", node="9")
            wait_event(b, "login-refused", "shutdown")
        b.ends()


def test_what_is_refused_is_logged_and_counted_once():
    with Beacon("auth timeout 1\nmax peers 1") as b:
        answered(b, 400, request(path="/ \"\\\x01\xe9"))
        e = wait_event(b, "request-refused", "malformed", status="400")
        assert e["request"] == r'"GET / \"\\\001\351 HTTP/1.1"', e
        answered(b, 404, request(path="/" + "x" * 200))
        e = wait_event(b, "request-refused", "path", status="404")
        assert e["request"] == '"GET /%s"' % ("x" * 59), e
        answered(b, 405, request(method="POST"))
        wait_event(b, "request-refused", "method", status="405")
        answered(b, 431, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500)
        wait_event(b, "request-refused", "large", status="431")
        late = Client(b.port)
        answered(b, 400, request(Sec_WebSocket_Key="none"))
        wait_event(b, "upgrade-refused", "malformed", status="400")
        answered(b, 426, request(Sec_WebSocket_Version="12"))
        wait_event(b, "upgrade-refused", "version", status="426")
        answered(b, 403, request(Origin="http://other.example"))
        wait_event(b, "upgrade-refused", "origin", status="403")
        with Client(b.port) as client:
            client.upgrade()
        wait_event(b, "login-refused", "abandoned")
        with Client(b.port) as client:
            client.upgrade()
            client.send_text('{"node_id": " remote=192.0.2.1 "}')
            client.expect_close(1008)
        wait_event(b, "login-refused", "malformed")
        with Client(b.port) as client:
            client.upgrade()
            client.send(b"\xff\xff\xff\xff\xff\xff")
            client.expect_close(1002)
        e = wait_event(b, "login-refused", "protocol")
        assert e["note"] == '"bad frame header"'
        with Client(b.port) as client:
            client.send_reply(99)
            client.expect_close(1008)
        wait_event(b, "login-refused", "unknown", node="99")
        with Client(b.port) as client:
            client.send_reply(1, signer=2)
            client.expect_close(1008)
        wait_event(b, "login-refused", "signature", node="1")
        with Client(b.port) as client:
            client.upgrade()
            client.expect_close(1008)
        wait_event(b, "login-refused", "timeout")
        with login(b, 1):
            answered(b, 503, request())
            wait_event(b, "upgrade-refused", "capacity", status="503")
        b.wait_peers(0)
        late.send(b"GET")
        assert late.answer().status == 408
        wait_event(b, "request-refused", "timeout", status="408")
        wait_for(lambda: sum(failures(b, "login").values()) ==
            b.metric("auth_fail"))
        assert sum(failures(b, "upgrade").values()) == b.metric(
            "upgrade_fail")
        assert sum(failures(b, "request").values()) == b.metric("http_errors")


def test_who_replaces_itself_too_often_and_who_comes_too_often():
    with Beacon("source upgrade limit 12", workers=1) as b:
        clients = []
        for _ in range(10):
            clients.append(Client(b.port))
            clients[-1].send_reply(1)
        clients[-1].expect_close(1013)
        wait_event(b, "login-refused", "flapping", node="1")
        assert failures(b, "login")["flapping"] == 1
        for client in clients:
            client.close()
        def refused():
            with Client(b.port) as client:
                client.send(request(X_Forwarded_For="192.0.2.7"))
                return client.answer().status == 429
        wait_for(lambda: [refused() for _ in range(14)].count(True) > 0)
        def said():
            return [e for e in events(b) if e["event"] == "upgrade-refused"]
        wait_for(said)
        e = said()
        assert {(x["reason"], x["status"], x["remote"]) for x in e} == {
            ("rate", "429", "192.0.2.7")}, e
        assert 1 <= len(e) <= 10


def test_who_is_not_who_it_says():
    conf = "punch total limit 1"
    with Beacon(conf, udp=True, workers=1) as b, login(b, 1) as client, \
            Udp(b.udp_port) as u:
        client.send_packet(relay(2, 3, b"spoofed"))
        e = wait_event(b, "spoofed", "peer", node="1")
        assert e["claimed"] == "2"
        u.send(relay(1, 2, b"spoofed"))
        e = wait_event(b, "spoofed", "datagram")
        assert e["claimed"] == "1" and e["node"] == "-"
        assert e["remote"] == "127.0.0.1:%d" % u.port
        u.send(sync(5, [9]))
        wait_event(b, "sync-refused", "stranger")
        b.wait_metric(2, "drops", reason="sender")
        for _ in range(5):
            u.send(struct.pack(">BII", 3, 7, 8))
        wait_for(lambda: b.metric("punch_refused", reason="rate") >= 3)
        wait_for(lambda: [e for e in events(b) if e["reason"] == "rate" and
            e["event"] == "punch-refused"])
    with Beacon("require punch grant\naccept gossip from any", udp=True) as b, \
            Udp(b.udp_port) as u:
        u.send(struct.pack(">BII", 3, 7, 8))
        wait_event(b, "punch-refused", "grant")
        u.send(sync(5, [9])[:-1])
        wait_event(b, "sync-refused", "malformed")


def test_flood_hides_nothing_else_and_is_told():
    with Beacon(workers=1) as b:
        for _ in range(40):
            answered(b, 404, request(path="/flood"))
        with Client(b.port, source="127.0.0.2") as client:
            client.send(request(path="/other"))
            assert client.answer().status == 404
        answered(b, 405, request(method="PUT"))
        wait_event(b, "request-refused", "method")
        b.stop()
        wait_event(b, "kept-back", "path")
        told = [e for e in events(b) if e["reason"] == "path"]
        assert [e["request"].split()[1] for e in told[:-1]] == \
            ["/flood"] * 10 + ["/other"]
        assert told[-1] == {"event": "kept-back", "node": "-",
            "remote": "127.0.0.1", "worker": "0", "reason": "path",
            "lines": "30", "most": "30", "of": "request-refused"}


def act(b):
    """What is of the levels info, info and notice."""
    login(b, 2).close()
    b.wait_peers(0)
    answered(b, 404, request(path="/level"))


def writes(b, expected, before=None):
    """So much of that is written, and no more."""
    before = len(b.lines) if before is None else before
    act(b)
    wait_for(lambda: [fields(line)[1]["event"] for line in b.lines[before:]
        if fields(line)] == expected, what=expected)


def test_level_is_changed_at_run_time():
    """By beaconctl at once, in all workers; by a reload likewise."""
    with Beacon() as b:
        writes(b, ["login", "end", "request-refused"])
        b.ctl("log", "level", "notice", text=True)
        for _ in range(4):
            writes(b, ["request-refused"])
        b.ctl("log", "level", "warning", text=True)
        before = len(b.lines)
        for _ in range(4):
            act(b)
        # Nothing: what comes next is the next that is there.
        b.ctl("log", "level", "notice", text=True)
        writes(b, ["request-refused"], before)
        b.ctl("reload", text=True)
        b.wait_line("configuration read again")
        writes(b, ["login", "end", "request-refused"])
        b.write_conf("log level notice")
        b.ctl("reload", text=True)
        writes(b, ["request-refused"])
        # A worker that was started anew knows.
        old = b.kill("worker")
        b.wait_new("worker", old)
        for _ in range(4):
            writes(b, ["request-refused"])


class JsonBeacon(Beacon):
    """Its log is JSON from the first line on."""

    def start(self, *args):
        self.launch(*args)
        ready = self.wait_line(r'"message":"ready"', 30)
        assert json.loads(ready)["process"] == "beacond"
        self.port = int(re.search(r"listening on \S+:(\d+) ",
            "\n".join(self.lines)).group(1))
        self.pid = self.proc.pid
        self.note_children()


def test_every_line_is_json():
    with JsonBeacon("log format json") as b:
        with login(b, 1):
            pass
        b.wait_peers(0)
        answered(b, 400, request(path="/ \"\\\x01\xe9\x7f"))
        b.write_conf('log format json\nkeys snapshot "\\"\xff"\nnonsense')
        b.ctl("reload", text=True, ok=1)
        b.kill("auth")
        b.wait_line("auth.*died")
        b.stop()
        rows = [json.loads(line) for line in b.lines]
        now = datetime.datetime.now(datetime.timezone.utc)
        for row in rows:
            when = datetime.datetime.fromisoformat(
                row["time"].replace("Z", "+00:00"))
            assert abs((now - when).total_seconds()) < 60
            assert row["level"] in ("info", "notice", "warning", "error")
            assert ("message" in row) != ("event" in row), row
        told = [row for row in rows if "event" in row]
        assert [list(row)[3:8] for row in told] == [HEAD] * 3
        assert [row["event"] for row in told] == [
            "login", "end", "request-refused"]
        first, end, bad = told
        assert first["node"] == 1 and first["reason"] is None
        assert first["process"] == "worker[%d]" % first["worker"]
        assert (end["in"], end["reason"]) == (0, "lost")
        assert bad["node"] is None and bad["request"] == \
            'GET / "\\\x01\xe9\x7f HTTP/1.1'


def misbehave(b):
    """(lines that ban, addresses of those)."""
    for source, data in (
            ("127.0.0.2", request(path="/wp-login.php")),
            ("127.0.0.3", request(method="PUT")),
            ("127.0.0.4", b"\x16\x03\x01 remote=192.0.2.1 \r\n\r\n")):
        with Client(b.port, source=source) as client:
            client.send(data)
            client.answer()
    for source, signer in (("127.0.0.5", 2), ("127.0.0.6", 99)):
        with Client(b.port, source=source) as client:
            client.send_reply(1 if signer == 2 else 99, signer=signer)
            client.expect_close(1008)
    with Client(b.port, source="127.0.0.7") as client:
        client.login(1)
        client.send(frame(BINARY, b"x", mask=None))
        client.expect_close(1002)
    with Client(b.port, source="127.0.0.8") as client:
        client.login(1)
        client.send(frame(CLOSE, b"", mask=None))
        client.expect_close(1002)
    # A honest one, whose request names another's address.
    with Client(b.port, source="127.0.0.9") as client:
        client.send(request(path="/v1/compat", version="HTTP/1.1",
            Sec_WebSocket_Version="9"))
        client.answer()
    b.wait_peers(0)


def fail2ban(b, lines):
    """Whom the filter bans, where it is to be put, and what was said."""
    path = os.path.join(b.directory, "log")
    write(path, "\n".join(lines) + "\n")
    place = os.path.join(b.directory, "filter.d")
    shutil.copytree("/etc/fail2ban/filter.d", place)
    shutil.copy(FILTER, os.path.join(place, "beacond.conf"))
    run = subprocess.run(["fail2ban-regex", "--print-all-matched",
        "--print-no-missed", path, os.path.join(place, "beacond.conf")], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60)
    assert run.returncode == 0, run.stdout
    return [sorted(set(re.findall(before + r"(127[\d.]+)", run.stdout)))
        for before in ('remote=', '"remote":"')], run.stdout


BANNED = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.7"]


def test_fail2ban_bans_those_and_no_others():
    with Beacon() as b:
        misbehave(b)
        stamp = time.strftime("%b %e %H:%M:%S")
        lines = ["%s host beacond[%d]: %s" % (stamp, b.pid, line)
            for line in b.lines]
    with JsonBeacon("log format json") as b:
        misbehave(b)
        got, out = fail2ban(b, lines + list(b.lines))
        assert got == [BANNED, BANNED], out
