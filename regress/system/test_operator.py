# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What the operator meets: starting, asking, probing."""

import fcntl
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile

from beacon import BUILD, IS_ROOT, USER, Beacon, alive, wait_for, write
from client import login

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

HEX_CAPS = {"CapInh", "CapPrm", "CapEff", "CapAmb"}


def run(b, *args):
    """beacond itself, to its end; returns status, output, errors."""
    got = subprocess.run(b.command(*args), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=b.environment(), timeout=20)
    return got.returncode, got.stdout.decode(), got.stderr.decode()


def refused(b, *patterns):
    """It does not start, and says what is wrong."""
    try:
        status, _, errors = run(b, "-d", "-f", b.conf_path)
        assert status == 1, status
        for pattern in patterns:
            assert re.search(pattern, errors), errors
    finally:
        b.clean_up()


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
            if ":\t" in line)


def test_ready_comes_after_the_addresses():
    with Beacon("listen on 127.0.0.1 port 0", udp=True) as b:
        lines = [line for line in b.lines if "listening on" in line or
            line == "beacond: ready"]
        assert len(lines) == 4, lines
        assert lines[-1] == "beacond: ready"
        assert b.lines.count("beacond: ready") == 1


def test_missing_key_file_is_named():
    b = Beacon()
    os.unlink(b.keys_path)
    refused(b, re.escape(b.keys_path))


def test_missing_configuration_is_named():
    b = Beacon()
    os.unlink(b.conf_path)
    refused(b, re.escape(b.conf_path))


def test_every_error_of_a_configuration_is_named():
    b = Beacon("nonsense 1\nmax peers 5\nworkers none\nping interval 0")
    lines = open(b.conf_path).read().split("\n")
    refused(b, *(r"beacond\.conf:%d: " % (lines.index(wrong) + 1)
        for wrong in ("nonsense 1", "workers none", "ping interval 0")))


def test_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(Beacon("listen on 127.0.0.1 port %d" % port, listen=False),
            r"\b%d\b" % port)


def test_second_daemon_on_the_same_socket_is_refused():
    with Beacon() as b:
        status, _, errors = run(b, "-d", "-f", b.conf_path)
        assert status == 1 and b.socket in errors, errors
        login(b, 1).close()
        b.ctl("show", "summary")


def test_socket_left_by_a_killed_daemon_is_no_obstacle():
    b = Beacon()
    try:
        b.start()
        b.note_children()
        b.proc.kill()
        b.proc.wait()
        b.check_no_process()
        assert os.path.exists(b.socket)
        b.lines.clear()
        b.start()
        login(b, 1).close()
        b.stop()
    finally:
        b.clean_up()


def test_n_checks_and_nv_prints_the_configuration():
    b = Beacon("max peers 77")
    try:
        status, out, errors = run(b, "-n", "-f", b.conf_path)
        assert status == 0 and "configuration OK" in out + errors
        status, out, errors = run(b, "-n", "-v", "-f", b.conf_path)
        assert status == 0 and "max peers 77\n" in out, out
        again = os.path.join(b.directory, "again.conf")
        write(again, out)
        assert run(b, "-n", "-v", "-f", again)[:2] == (0, out)
    finally:
        b.clean_up()


def test_version():
    b = Beacon()
    try:
        status, out, errors = run(b, "-V")
        assert status == 0 and re.search(r"beacond.*\d", out + errors)
    finally:
        b.clean_up()


def test_without_d_it_goes_to_the_background():
    b = Beacon()
    try:
        status, _, errors = run(b, "-f", b.conf_path)
        assert status == 0, errors
        wait_for(lambda: os.path.exists(b.socket))
        children = wait_for(b.children)
        b.seen.update(c["pid"] for c in children)
        b.ctl("stop", text=True)
        b.check_no_process(5)
    finally:
        b.proc = None
        for left in b.seen:
            if alive(left):
                os.kill(left, signal.SIGKILL)
        b.clean_up()


def check_confined(b):
    for child in b.children():
        if child["role"] == "parent":
            continue
        s = status_of(child["pid"])
        assert s["NoNewPrivs"].strip() == "1", child
        for name in HEX_CAPS:
            assert int(s[name], 16) == 0, (child, name, s[name])
        uid = pwd.getpwnam(USER).pw_uid if IS_ROOT else os.getuid()
        assert set(s["Uid"].split()) == {str(uid)}, (child, s["Uid"])
    assert status_of(b.pid)["NoNewPrivs"].strip() == "1"


def test_children_have_no_privileges():
    with Beacon() as b:
        check_confined(b)


def test_unprivileged():
    with Beacon(unprivileged=True, udp=True) as b:
        check_confined(b)
        with login(b, 1) as one:
            one.send_to(1, b"x")
            one.expect_from(1, b"x")


if IS_ROOT:
    def test_root_needs_a_user():
        b = Beacon()
        text = open(b.conf_path).read()
        write(b.conf_path, text.replace('user "%s"\n' % USER, ""))
        refused(b, r"\buser\b")

    def test_root_drops_to_the_user():
        with Beacon() as b:
            uid = str(pwd.getpwnam(USER).pw_uid)
            assert set(status_of(b.pid)["Uid"].split()) == {uid}

    def test_nothing_is_left_in_run_after_a_clean_stop():
        """Its directory is made, and our user's, who removes the socket."""
        b = Beacon()
        try:
            directory = os.path.join(b.directory, "run")
            b.socket = os.path.join(directory, "control.sock")
            b.write_conf("")
            b.start()
            st = os.stat(directory)
            assert st.st_uid == pwd.getpwnam(USER).pw_uid
            assert st.st_mode & 0o777 == 0o750
            b.stop()
            assert os.listdir(directory) == []
        finally:
            b.clean_up()

    def test_who_is_the_user_already_is_not_told_that_he_cannot_become_it():
        b = Beacon()
        try:
            b.unprivileged = True
            for user, said in ((USER, False), ("games", True)):
                b.write_conf('user "%s"' % user)
                b.start()
                assert any("has no effect" in line for line in b.lines) \
                    == said, b.lines
                b.stop()
                b.lines.clear()
        finally:
            b.clean_up()

    def test_unknown_user_is_named():
        b = Beacon()
        text = open(b.conf_path).read()
        write(b.conf_path, text.replace(USER, "no-such-user"))
        refused(b, "no-such-user")


class Unread(Beacon):
    """Nobody reads its log once it is ready."""

    def read(self, proc, lines):
        for raw in proc.stderr:
            with self.news:
                lines.append(raw.decode().rstrip("\n"))
                self.news.notify_all()
            if raw == b"beacond: ready\n":
                return


def test_log_that_nobody_reads_stops_nothing():
    with Unread() as b:
        fcntl.fcntl(b.proc.stderr, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(100):
            b.ctl("reload", text=True)
        login(b, 1).close()
        assert b.metric("log_muted") > 0


# beaconctl

def test_show_summary():
    with Beacon("max peers 9", nodes=range(1, 6)) as b, login(b, 1):
        wait_for(lambda: b.ctl("show", "summary")["peers"] == 1)
        got = b.ctl("show", "summary")
        assert got["max_peers"] == 9 and got["keys"] == 5, got
        assert got["key_lines_bad"] == 0 and got["draining"] is False
        roles = sorted(c["role"] for c in got["children"])
        assert roles == ["auth", "parent", "worker", "worker"], roles
        pids = {c["pid"] for c in got["children"]}
        assert pids == b.seen | {b.pid}, (pids, b.seen)
        text = b.ctl("show", "summary", text=True)
        assert all(str(pid) in text for pid in pids), text


def test_show_metrics_names_the_eight_counters():
    with Beacon() as b:
        text = b.ctl("show", "metrics", text=True)
        for name in ('pilot_beacon_wss_connections_total{outcome="%s"}' % o
                for o in ("upgrade_ok", "upgrade_fail", "auth_ok",
                "auth_fail")):
            assert name + " 0\n" in text, name
        for name in ("active", "frames_in_total", "frames_out_total",
                "idle_disconnects_total"):
            assert "pilot_beacon_wss_%s 0\n" % name in text, name


def test_show_metrics_is_prometheus_text():
    """Each family stands together, after its own HELP and TYPE."""
    with Beacon() as b:
        family, seen = None, set()
        for line in b.ctl("show", "metrics", text=True).splitlines():
            help_ = re.fullmatch(r"# HELP (\w+) \S.*", line)
            if help_:
                family = help_[1]
                assert family not in seen, family
                seen.add(family)
            elif line.startswith("#"):
                assert re.fullmatch(r"# TYPE %s (counter|gauge)" % family,
                    line), line
            else:
                assert re.fullmatch(r'%s(\{\w+="\w+"(,\w+="\w+")*\})? \d+' % family,
                    line), line
        assert len(seen) > 20, seen


def test_counters_survive_a_worker():
    with Beacon() as b:
        for node in range(1, 11):
            login(b, node).close()
        b.wait_metric(10, "connections", outcome="auth_ok")
        for worker in (0, 1):
            old = b.kill("worker", worker)
            b.wait_new("worker", old, worker)
        assert b.metric("connections", outcome="auth_ok") == 10


def test_show_peers():
    with Beacon() as b:
        clients = [login(b, node) for node in range(1, 33)]
        assert sorted(p["node"] for p in b.peers()) == list(range(1, 33))
        for client in clients:
            client.close()
        b.wait_peers(0)


def test_load_spreads_over_the_workers():
    with Beacon() as b:
        clients = [login(b, node) for node in range(1, 33)]
        counts = [sum(p["worker"] == n for p in b.peers()) for n in (0, 1)]
        assert min(counts) >= 8, counts
        for client in clients:
            client.close()


def test_stop():
    b = Beacon()
    try:
        b.start()
        b.note_children()
        b.ctl("stop", text=True)
        b.ends()
        b.check_log()
    finally:
        b.clean_up()


def test_ctl_without_a_daemon_fails():
    b = Beacon()
    try:
        b.ctl("show", "summary", ok=1, text=True)
        b.ctl("show", "nonsense", ok=2, text=True)
    finally:
        b.clean_up()


def test_control_socket_is_not_for_everybody():
    with Beacon() as b:
        assert stat.S_IMODE(os.stat(b.socket).st_mode) & 0o007 == 0


def answers(b):
    """False while all places are still taken by those who have just gone."""
    try:
        return b.ctl("show", "summary")
    except AssertionError:
        return False


def test_garbage_on_the_control_socket_is_harmless():
    with Beacon() as b:
        for data in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 65536,
                bytes(16), b"\x00\x08\x00\x00" + b"\xff" * 12):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(b.socket)
                try:
                    s.sendall(data)
                except OSError:
                    pass
        idle = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        for s in idle:
            s.settimeout(0.2)
            try:
                s.connect(b.socket)
            except OSError:
                break
        for s in idle:
            s.close()
        wait_for(lambda: answers(b))
        login(b, 1).close()


def test_garbage_on_the_control_socket_does_not_fill_the_log():
    unknown = struct.pack("=IIII", 0x8ff, 16, 0, 0)
    with Beacon() as b:
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(b.socket)
                s.sendall(unknown)
                assert s.recv(1) == b""
        assert 1 <= sum("control client" in line for line in b.lines) < 25


def test_keygen_and_probe():
    with Beacon(nodes=[]) as b:
        path = os.path.join(b.directory, "node.key")
        line = b.ctl("keygen", "-n", 7, path, text=True)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert re.fullmatch(r"7 [A-Za-z0-9+/]{43}=\n", line), line
        b.ctl("keygen", path, text=True, ok=1)
        b.write_keys(line)
        b.ctl("reload", text=True)
        wait_for(lambda: b.ctl("show", "summary")["keys"] == 1)
        url = "ws://127.0.0.1:%d/v1/compat" % b.port
        out = b.ctl("probe", "-c", 2, "-i", path, "-n", 7, url, text=True)
        assert "seq=1" in out and "seq=2" in out, out
        b.ctl("probe", "-c", 1, "-i", path, "-n", 8, url, text=True, ok=2)


def test_probe_of_nothing_fails():
    b = Beacon()
    try:
        path = os.path.join(b.directory, "node.key")
        b.ctl("keygen", path, text=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            b.ctl("probe", "-c", 1, "-i", path, "-n", 7,
                "ws://127.0.0.1:%d" % s.getsockname()[1], text=True, ok=2)
    finally:
        b.clean_up()


class Installed(Beacon):
    """Runs from where make install put it."""

    def __init__(self, program):
        super().__init__()
        self.program = program

    def command(self, *args):
        return [self.program] + super().command(*args)[1:]


def test_installed_programs_find_each_other():
    """The parent knows where the others went."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        build = os.path.join(top, "build")
        # Of what is tested only that is compiled again which knows the place.
        shutil.copytree(os.path.join(BUILD, "obj"), build + "/obj",
            copy_function=shutil.copy2)
        subprocess.run(["make", "-s", "install", "PREFIX=" + top,
            "BUILD=" + build, "MAKEFLAGS="], cwd=ROOT, check=True)
        with Installed(os.path.join(top, "sbin/beacond")) as b:
            login(b, 1).close()
            assert not glob.glob(top + "/sbin/beacond-*")
