# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""One node, one session: the newest; and keys that change."""

import os
import signal

import keys
from beacon import Beacon, wait_for
from client import TEXT, Client, Ended, deliver, login, pair_on_workers


def test_newest_connection_wins():
    with Beacon() as b, login(b, 1) as old, login(b, 2) as other:
        with login(b, 1) as new:
            old.expect_close(1000, "replaced")
            other.send_to(1, b"to the new one")
            new.expect_from(2, b"to the new one")
            new.send_to(2, b"from the new one")
            other.expect_from(1, b"from the new one")
            assert len(b.peers()) == 2
            assert b.metric("wss_active") == 2
            assert b.metric("replaced") == 1


def test_newest_stays_reachable_after_clean_up_of_the_old():
    with Beacon() as b, login(b, 31) as other:
        for node in range(1, 31):
            old = login(b, node)
            with login(b, node) as new:
                # It goes at the same time, by itself.
                old.close()
                for i in range(20):
                    other.send_to(node, b"%d" % i)
                    new.expect_from(31, b"%d" % i)
                assert b.peer(node) is not None


def test_old_connection_that_does_not_read_cleans_up_nothing():
    with Beacon("write timeout 1") as b, login(b, 31) as other:
        old = login(b, 1, rcvbuf=4096)
        with login(b, 1) as new:
            # Its close is never answered, so the server ends it some day.
            wait_for(lambda: b.metric("replaced") == 1)
            gone = b.metric("wss_active")
            assert gone == 2, gone
            old.expect_close(1000, "replaced")
            other.send_to(1, b"x")
            new.expect_from(31, b"x")


def test_no_frame_of_a_replaced_session_is_handed_on():
    """Not even if its worker learns of the replacement only afterwards."""
    with Beacon() as b:
        for node, early in ((1, b""), (2, b"sent before")):
            # To one of its own worker, no other worker looks at the sender.
            near, old, rest = pair_on_workers(b, False, first=node, most=20)
            node = old.node
            stopped = b.pid_of("worker", b.worker_of(node))
            os.kill(stopped, signal.SIGSTOP)
            # Who logs in now is on the other worker.
            sink = login(b, 31)
            if early:
                old.send_to(31, early)
            new = login(b, node)
            for _ in range(20):
                old.send_to(31, b"late")
                old.send_to(near.node, b"late")
            os.kill(stopped, signal.SIGCONT)
            old.expect_close(1000, "replaced")
            for client in (sink, near):
                new.send_to(client.node, b"from the new one")
                client.expect_from(node, b"from the new one")
            for client in [old, new, sink, near] + rest:
                client.close()
            b.wait_peers(0)


def test_no_frame_is_handed_on_behind_the_first_of_the_new_session():
    with Beacon() as b, login(b, 31) as sink:
        for node in range(1, 31):
            old = login(b, node)
            new = Client(b.port)
            new.send_reply(node)
            # The old one talks all the time while it is replaced.
            talk(old, new, sink.node)
            drain(sink, node)
            old.close()
            new.close()


def talk(old, new, dest):
    """Old sends until new has auth_ok, and then some."""
    try:
        while True:
            old.send_to(dest, b"early")
            try:
                new.need(1, 0.001)
                break
            except TimeoutError:
                pass
    except OSError:
        # It was quick to be closed.
        pass
    new.expect(TEXT)
    new.node = old.node
    new.send_to(dest, b"first")
    try:
        for _ in range(20):
            old.send_to(dest, b"late")
        old.expect_close(1000, "replaced")
    except (AssertionError, Ended, OSError):
        # It talked on after the close, which may have reset it.
        pass
    new.send_to(dest, b"end")


def drain(sink, node):
    behind = False
    got = None
    while got != b"end":
        packet = sink.recv_packet()
        assert packet[:5] == deliver(node, b""), packet
        got = packet[5:]
        assert got != b"late", "a frame of the replaced session"
        assert got != b"early" or not behind, "overtaken"
        behind = behind or got == b"first"


def test_two_that_share_an_identity_are_slowed_down():
    with Beacon() as b:
        refused = 0
        clients = []
        for _ in range(30):
            client = Client(b.port)
            client.send_reply(1)
            opcode, _ = client.next()
            refused += opcode == 8
            clients.append(client)
        assert 10 <= refused < 30, refused
        assert len(b.peers()) == 1
        assert b.metric("wss_refused", reason="flapping") == refused
        with login(b, 2):
            pass
        for client in clients:
            client.close()


def test_reconnecting_is_not_replacing():
    with Beacon() as b:
        for _ in range(20):
            login(b, 1).close()
            b.wait_peers(0)
        assert b.metric("replaced") == 0


def test_show_peer_tells_about_a_session():
    with Beacon() as b, login(b, 1) as one:
        for i in range(3):
            one.send_to(1, b"x")
            one.recv_packet()
        got = b.ctl("show", "peer", 1)
        assert got["node"] == 1 and got["connected"] is True, got
        assert got["frames_in"] == 3 and got["frames_out"] == 3, got
        assert got["bytes_in"] > 3 * 14 and got["bytes_out"] > 3 * 12, got
        assert got["address"] == "127.0.0.1:%d" % one.sock.getsockname()[1]
        b.ctl("show", "peer", 2, ok=1)


# Keys

def test_reload_closes_a_removed_node_and_no_other():
    with Beacon(nodes=[1, 2, 3]) as b:
        with login(b, 1) as one, login(b, 2) as two, login(b, 3) as three:
            b.write_keys(keys.line(1) + keys.line(3))
            b.ctl("reload", text=True)
            two.expect_close(1008)
            one.send_to(3, b"x")
            three.expect_from(1, b"x")
            assert {p["node"] for p in b.peers()} == {1, 3}
            with Client(b.port) as again:
                again.send_reply(2)
                again.expect_close(1008, "auth failed")


def test_reload_closes_a_node_with_another_key():
    with Beacon(nodes=[1, 2]) as b:
        with login(b, 1) as one, login(b, 2) as two:
            b.write_keys(keys.line(1) + keys.line(2, key_of=9))
            os.kill(b.pid, signal.SIGHUP)
            two.expect_close(1008)
            one.send_to(1, b"x")
            one.expect_from(1, b"x")
            with Client(b.port) as again:
                again.send_reply(2)
                again.expect_close(1008, "auth failed")
            with Client(b.port) as again:
                again.send_reply(2, signer=9)
                again.expect(1)


def test_reload_admits_a_new_node():
    with Beacon(nodes=[1]) as b, login(b, 1) as one:
        b.write_keys(keys.line(1) + keys.line(2))
        os.kill(b.pid, signal.SIGHUP)
        wait_for(lambda: b.ctl("show", "summary")["keys"] == 2)
        with login(b, 2) as two:
            two.send_to(1, b"x")
            one.expect_from(2, b"x")


def test_reload_is_over_when_the_new_keys_count():
    many = "".join(keys.line(1)[1:].join([str(node), ""])
        for node in range(100, 200100))
    with Beacon(nodes=[]) as b:
        for node in (1, 2, 3):
            b.write_keys(many + keys.line(node))
            b.ctl("reload", text=True)
            login(b, node).close()


def test_reload_of_an_empty_key_file_keeps_the_old_keys():
    """It is being written, most likely."""
    with Beacon() as b, login(b, 1) as one:
        b.write_keys("# nothing yet\n")
        b.ctl("reload", text=True, ok=1)
        b.wait_line(r"no key in it, the 32 from before stay")
        one.send_to(1, b"x")
        one.expect_from(1, b"x")
        login(b, 2).close()
        b.write_keys(keys.line(2))
        b.ctl("reload", text=True)
        one.expect_close(1008)
        b.wait_line(r"1 sessions end: the keys that they stand on are gone")


def test_reload_of_the_same_keys_touches_nobody():
    with Beacon() as b, login(b, 1) as one:
        for _ in range(5):
            b.ctl("reload", text=True)
            one.send_to(1, b"x")
            one.expect_from(1, b"x")
        assert b.metric("revoked") == 0


def test_bad_key_lines_are_named_and_the_rest_serves():
    with Beacon(nodes=[]) as b:
        b.write_keys("# nodes\n\n" + keys.line(1) + "2 AAAA\n0 " +
            keys.line(3)[2:] + "x y\n" + keys.line(4))
        b.ctl("reload", text=True)
        for line in (4, 5, 6):
            b.wait_line(r"%s:%d: " % (b.keys_path, line))
        wait_for(lambda: b.ctl("show", "summary")["key_lines_bad"] == 3)
        login(b, 1).close()
        login(b, 4).close()


def test_reload_without_key_file_keeps_the_old_keys():
    with Beacon() as b, login(b, 1) as one:
        os.unlink(b.keys_path)
        b.write_conf("max peers 7")
        b.ctl("reload", text=True, ok=1)
        b.wait_line(re_escape(b.keys_path) + ": create it")
        b.wait_line("reload: no key file, nothing changed")
        assert b.ctl("show", "summary")["max_peers"] != 7
        one.send_to(1, b"x")
        one.expect_from(1, b"x")
        login(b, 2).close()


def re_escape(text):
    return text.replace(".", r"\.")


def test_reload_of_settings():
    with Beacon("max peers 1") as b, login(b, 1):
        b.wait_peers(1)
        b.write_conf("max peers 2")
        b.ctl("reload", text=True)
        wait_for(lambda: b.ctl("show", "summary")["max_peers"] == 2)
        login(b, 2).close()


def test_reload_says_each_time_what_needs_a_restart():
    with Beacon() as b:
        needed = "\"keys snapshot\" has changed: needs a restart"
        for path, told, status in (("/a", 1, 3), ("/a", 2, 3), ("", 2, 0),
                ("/b", 3, 3)):
            lines = len(b.lines)
            b.write_conf('keys snapshot "%s"' % path if path else "")
            b.ctl("reload", text=True, ok=status)
            b.wait_line("configuration read again", after=lines)
            assert sum(needed in line for line in b.lines) == told, path
        b.write_conf('worker user "games"')
        b.ctl("reload", text=True, ok=3)
        b.wait_line('"user" has changed: needs a restart')


def test_reload_reaches_auth():
    with Beacon() as b:
        with Client(b.port) as client:
            client.login(1, legacy=True)
        b.write_conf("legacy signatures no")
        before = len(b.lines)
        b.ctl("reload", text=True)
        # It hears of the keys behind the settings.
        b.wait_line("keys read", after=before)
        with Client(b.port) as client:
            client.send_reply(1, legacy=True)
            client.expect_close(1008, "auth failed")


def test_reload_of_a_bad_configuration_changes_nothing():
    with Beacon("max peers 5") as b, login(b, 1):
        b.write_conf("max peers many\nnonsense")
        b.ctl("reload", text=True, ok=1)
        b.wait_line(r"beacond\.conf:\d+: ")
        assert b.ctl("show", "summary")["max_peers"] == 5
        login(b, 2).close()
