# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The clients of the router socket do what the relay does, and what they say."""

import contextlib
import dataclasses
import glob
import os
import re
import signal
import socket
import struct
import tempfile
import threading
import time

import pytest

import keys
import router as R
import test_failures
import test_relay
import test_sessions
import test_slow
from beacon import alive, limit, wait_for
from client import BINARY, NO_MASK, deliver, frame, login, pair_on_workers, relay
from frame_clients import CLIENTS, FRAME, THREADED, ClientBeacon, FakeBeacon, \
    Program, built, client, command, fake, go, talker
from test_registry import OPEN, enter, outcomes, refused, waiting
from test_router import Routed, generation

ROOT = os.path.dirname(FRAME)
SHARED = [
    test_relay.test_all_sizes_on_the_same_worker,
    test_relay.test_all_sizes_on_different_workers,
    test_relay.test_all_sizes_with_one_worker,
    test_relay.test_all_sizes_with_four_workers,
    test_relay.test_relay_to_oneself,
    test_relay.test_empty_payload,
    test_relay.test_fragmented_packet,
    test_relay.test_order_of_a_flow_is_kept,
    test_relay.test_source_packet_limit_can_be_off,
    test_sessions.test_newest_connection_wins,
    test_sessions.test_newest_stays_reachable_after_clean_up_of_the_old,
    test_sessions.test_old_connection_that_does_not_read_cleans_up_nothing,
    test_sessions.test_no_frame_of_a_replaced_session_is_handed_on,
    test_sessions.test_no_frame_is_handed_on_behind_the_first_of_the_new_session,
    test_slow.test_peer_that_does_not_read_is_dropped_after_the_write_timeout,
    test_failures.test_killed_worker_costs_only_its_own_peers,
    test_failures.test_new_worker_takes_part,
    test_failures.test_both_workers_killed,
]


@pytest.fixture
def routed(client, monkeypatch):
    monkeypatch.setattr(ClientBeacon, "client", client)
    return ClientBeacon


def relaying(client, b, *args):
    return Program(command(client, "relay") + [b.router_path, *args])


@contextlib.contextmanager
def knowing(client, b, path, known):
    """The relay, which knows the keys too; in C that is another program."""
    with relaying(client, b, *([] if client == "c" else [path, known])) as \
            program, contextlib.ExitStack() as stack:
        if client == "c":
            stack.callback(program.leave)
            program = stack.enter_context(Program(command(client, "keys") +
                [path, known]))
        yield program


@limit(120)
@pytest.mark.parametrize("test", SHARED, ids=lambda test: test.__name__[5:])
def test_as_by_the_relay(routed, test, monkeypatch):
    monkeypatch.setitem(test.__globals__, "Beacon", routed)
    test()


@limit(120)
def test_what_cannot_be_delivered_harms_nobody(routed):
    with routed() as b, login(b, 1) as one, login(b, 2) as two:
        for dest in 0, 3, 4294967295:
            one.send_to(dest, b"nobody")
        for sender in 0, 2, 4294967295:
            one.send_packet(relay(sender, 2, b"forged"))
        for packet in b"", b"\x05", b"\x77junk", relay(1, 2, b"")[:-1]:
            one.send_packet(packet)
        one.send_packet(relay(1, 2, bytes(65527)))
        one.send_packet(relay(1, 2, bytes(32764)))
        one.send_to(2, b"next")
        two.expect_from(1, b"next")
        assert b.metric("frames_out") == 1


@limit(120)
def test_peers_come_and_go(routed):
    with routed() as b, login(b, 31) as other:
        for _ in range(3):
            peers = [login(b, node) for node in range(1, 25)]
            for peer in peers:
                other.send_to(peer.node, b"hello")
            for peer in peers:
                peer.expect_from(31, b"hello")
                peer.send_to(31, b"goodbye")
                peer.close()
            got = sorted(other.recv_packet() for _ in peers)
            assert got == sorted(deliver(peer.node, b"goodbye")
                for peer in peers)


@pytest.mark.parametrize("client, sig",
    [(client, signal.SIGKILL) for client in CLIENTS] +
    [(CLIENTS[0], signal.SIGSTOP)])
def test_one_that_dies_or_stalls_costs_no_session(client, sig):
    with Routed("source packet limit 0") as b, relaying(client, b) as program:
        one, two, rest = pair_on_workers(b, True)
        one.send_to(two.node, b"by the program")
        two.expect_from(one.node, b"by the program")
        program.proc.send_signal(sig)
        if sig == signal.SIGKILL:
            wait_for(lambda: b.without() == 1)
        else:
            for _ in range(400):
                one.send_to(two.node, bytes(32000))
            b.wait_line("the router does not read", 25)
        one.send_to(two.node, b"by the relay")
        while two.recv_packet() != deliver(one.node, b"by the relay"):
            pass
        for peer in [one, two] + rest:
            peer.in_step()
            peer.close()


@limit(120)
def test_leaving_in_good_order_loses_nothing(client):
    count = 2000
    with Routed("source packet limit 0") as b, relaying(client, b) as program:
        one, two, rest = pair_on_workers(b, True)

        def send(first):
            one.send(b"".join(frame(BINARY, relay(one.node, two.node,
                struct.pack(">I", n)), mask=NO_MASK)
                for n in range(first, first + count)))
            one.in_step()

        send(0)
        # Much lies before it when it is told to leave, and more comes after.
        program.proc.send_signal(signal.SIGSTOP)
        send(count)
        program.proc.send_signal(signal.SIGTERM)
        program.proc.send_signal(signal.SIGCONT)
        send(2 * count)
        got = [struct.unpack(">BII", two.recv_packet())[2]
            for _ in range(3 * count)]
        assert sorted(got) == list(range(3 * count))
        program.leave()
        for peer in [one, two] + rest:
            peer.close()


def talk(client, b):
    return Program(command(client, "talk") + [b.router_path])


@limit(120)
def test_what_its_methods_say(client):
    with Routed(workers=1) as b, login(b, 1) as early, \
            talk(client, b) as program:
        assert program.greeting[-1] == "ready at 127.0.0.1:%d" % b.port
        if client in THREADED:
            assert program.greeting[0] == "before nowhere yet"
        assert program.ask("count") == "count 1"
        assert program.ask("connected", 1) == "connected true"
        for node in 0, 2, 4294967295:
            assert program.ask("connected", node) == "connected false"
            assert program.ask("write", node, "00") == "written false"
            assert program.ask("close", node, 1000, "") == "closed false"
        early.send_packet(b"\xab")
        assert program.hear() == "frame 1 ab"
        assert program.ask("write", 1, "cdef") == "written true"
        assert early.recv_packet() == b"\xcd\xef"
        for size in 0, 32769:
            assert program.ask("write", 1, "00" * size) == "written false"
        # Each of these would cost the channel.
        for code in 999, 1004, 1005, 1006, 1015, 2999, 5000:
            assert program.ask("close", 1, code, "why") == "closed false"
        with login(b, 2) as peer:
            number = generation(b, 2)
            assert program.hear() == "came 2 %d" % number
            assert program.ask("count") == "count 2"
            program.say("close", 2, 4321, "that is enough")
            peer.expect_close(4321, "that is enough")
            assert {program.hear(), program.hear()} == {"closed true",
                "gone 2 %d" % number}
        # The worker says it to the program and to the parent at once.
        wait_for(lambda: not program.ask("connected", 2).endswith("true"))
        assert program.ask("metrics") == "metrics 2 0 2 0 1 1 0 1"
        assert program.ask("connected", 2) == "connected false"
        program.proc.stdin.close()
        said = program.hear()
        assert said == ("left false 0 false <nil>" if client in THREADED
            else "left")
        assert program.proc.wait(20) == 0
        early.in_step()


def workers(b):
    return [c["pid"] for c in b.children() if c["role"] == "worker"]


@limit(120)
def test_they_stay_when_workers_are_replaced():
    """A channel whose worker has left is not one that was lost."""
    with contextlib.ExitStack() as stack:
        here = []
        for client in CLIENTS:
            b = stack.enter_context(Routed())
            program = stack.enter_context(relaying(built(client), b))
            here.append((b, program, pair_on_workers(b, True)))
            old = workers(b)
            b.ctl("upgrade")
            wait_for(lambda: not any(alive(pid) for pid in old))
        # Longer than they wait for another channel.
        time.sleep(16)
        for b, program, (one, two, rest) in here:
            one.send_to(two.node, b"by the program")
            two.expect_from(one.node, b"by the program")
            assert b.without() == 0 and program.proc.poll() is None
            program.leave()
            for peer in [one, two] + rest:
                peer.close()


@limit(120)
def test_no_frame_is_lost_when_workers_are_replaced(client):
    def replace():
        for _ in range(3):
            old = workers(b)
            b.ctl("upgrade")
            wait_for(lambda: not any(alive(pid) for pid in old), 20)

    with Routed("source packet limit 0") as b, relaying(client, b) as program:
        one, two, rest = pair_on_workers(b, True)
        replacing = threading.Thread(target=replace)
        replacing.start()
        count = 0
        while replacing.is_alive() or count == 0:
            # What comes by two channels comes in the order of their reading.
            sent = range(count, count + 50)
            for n in sent:
                one.send_to(two.node, struct.pack(">I", n) * 300)
            got = [two.recv_packet() for _ in sent]
            assert sorted(got) == [deliver(one.node, struct.pack(">I", n) * 300)
                for n in sent]
            count += 50
        assert b.without() == 0
        program.leave()
        for peer in [one, two] + rest:
            peer.close()


@limit(120)
def test_what_is_refused_comes_back(client):
    with Routed(workers=1) as b, login(b, 1, rcvbuf=4096) as slow, \
            talk(client, b) as program:
        # Short lines, or it would wait for us while we wait for it.
        data = "ab" * 4000
        said = set()
        while "refused 1 2 " + data not in said:
            line = program.ask("write", 1, data)
            while not line.startswith("written"):
                said.add(line)
                line = program.hear()
            said.add(line)
        assert "written true" in said
        assert b.peer(1) is not None
        slow.close()


@limit(120)
def test_the_end_of_the_beacon_is_told(client):
    with Routed(workers=1) as b, talk(client, b) as program:
        b.stop()
        assert program.hear().startswith("error ")
        assert program.ask("connected", 1) == "connected false"
        assert program.ask("metrics").startswith("metrics ")
        program.proc.stdin.close()
        assert program.hear().startswith("left")
        program.proc.wait(20)


@limit(120)
def test_who_comes_second_is_told_so(client):
    with Routed() as b, b.router():
        with pytest.raises(AssertionError, match="another program is there"):
            talk(client, b)


@limit(120)
def test_many_threads_write_at_once(talker):
    threads, count = 4, 2000
    with Routed(workers=1) as b, login(b, 1) as peer, \
            talk(talker, b) as program:
        assert program.ask("flood", 1, count, threads) == "flooded %d" % (
            threads * count)
        got = [struct.unpack(">II", peer.recv_packet())
            for _ in range(threads * count)]
        # Of each thread all, in their order.
        assert sorted(got) == sorted(got, key=lambda one: one[0])
        assert len(set(got)) == threads * count


@limit(120)
def test_it_knows_the_keys(client):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "keys.sock")
        known = os.path.join(directory, "keys")
        with open(known, "w") as f:
            f.write("".join(map(keys.line, [1, *range(10, 60)])))
        with Routed('registry "%s"\n%s' % (path, OPEN), nodes=None) as b:
            with knowing(client, b, path, known) as program:
                wait_for(lambda: b.ctl("show", "registry")["link"] == "up",
                    10)
                enter(b, 1)
                refused(b, 1, signer=2)
                refused(b, 3)
                # Many requests in one read.
                peers = waiting(b, range(10, 60))
                assert set(outcomes(peers)) == {"in"}
                peers[0].node, peers[1].node = 10, 11
                peers[0].send_to(11, b"x")
                peers[1].expect_from(10, b"x")
                program.leave()
            for peer in peers:
                peer.in_step()
                peer.close()
            # A socket that was left behind is in nobody's way.
            with knowing(client, b, path, known) as program:
                program.kill()
            assert os.path.exists(path)
            with knowing(client, b, path, known) as program:
                program.leave()
            assert not os.path.exists(path)


def strangers(path, count):
    socks = [socket.socket(socket.AF_UNIX) for _ in range(count)]
    for sock in socks:
        sock.settimeout(20)
        sock.connect(path)
    return socks


@limit(120)
def test_strangers_at_the_key_socket(talker, tmp_path):
    path, known = str(tmp_path / "keys.sock"), tmp_path / "keys"
    known.write_text(keys.line(1))
    with Routed() as b, relaying(talker, b, path, str(known)) as program:
        for wrong in b"GET / HTTP/1.1\r\n", b"PILT\2", b"PILT\1" + bytes(4), \
                b"PILT\1\xff\xff\xff\xff\2":
            for sock in strangers(path, 1):
                sock.sendall(wrong.ljust(10))
                assert sock.recv(100) == b""
                sock.close()
        crowd = strangers(path, 20)
        refused = 0
        for sock in crowd:
            try:
                sock.sendall(b"PILT\1\0\0\0\1\1")
                refused += sock.recv(100) != b"\0\0\0\1\x81"
            except (BrokenPipeError, ConnectionResetError):
                refused += 1
        assert refused == 12
        # What is cut, or no request, costs no other.
        crowd[0].sendall(b"\0\0\0\5\2\0")
        crowd[1].sendall(b"\0\0\0\1\7")
        assert crowd[1].recv(100)[4] == 0xff
        crowd[2].sendall(b"\0\0\0\5\2\0\0\0\1")
        assert crowd[2].recv(100)[4:9] == b"\x82\0\0\0\1"
        for sock in crowd:
            sock.close()
        program.leave()


@limit(120)
def test_many_flows_lose_nothing(routed):
    with routed("source packet limit 0") as b:
        peers = [login(b, node) for node in range(1, 21)]
        flows = [test_relay.Flow(one, two, 100)
            for one, two in zip(peers, peers[1:] + peers[:1])]
        test_relay.pump(flows)
        for peer in peers:
            # Nothing more may come.
            peer.in_step()
            peer.close()


@limit(120)
def test_how_the_map_is_read(talker, fake):
    with fake.attach(talker) as program:
        assert program.greeting[-1] == "ready at [::1]:443"
        assert program.ask("count") == "count 2"
        for node, there in (5, "true"), (6, "true"), (7, "false"), (8, "false"):
            assert program.ask("connected", node) == "connected " + there
        # It says where to write to; that worker is not running.
        assert program.ask("write", 6, "aa") == "written false"
        assert program.ask("write", 5, "aa") == "written true"
        fake.channels[3].expect(R.WRITE, 5, 0, b"\xaa")
        assert program.ask("close", 5, 1000, "why") == "closed true"
        fake.channels[3].expect(R.CLOSE, 5, 50, struct.pack("=I", 1000) +
            b"why")
        # Of a session that another has replaced nothing is handed on.
        for number in 49, 50:
            fake.channels[3].send(R.FRAME, 5, number, b"%d" % number)
        assert program.hear() == "frame 5 " + b"50".hex()


@limit(120)
def test_what_has_moved_gets_what_comes_back(client, fake):
    with fake.attach(client) as program:
        # It went elsewhere, and so does what comes back of it.
        fake.move(0, 60)
        fake.channels[3].send(R.REFUSED, 5, R.NOT_CONNECTED, b"late")
        fake.channels[60].expect(R.WRITE, 5, 0, b"late")
        # Where it is it was refused, or for another reason.
        fake.channels[60].send(R.REFUSED, 5, R.NOT_CONNECTED, b"x")
        assert program.hear() == "refused 5 1 78"
        fake.channels[3].send(R.REFUSED, 5, R.QUEUE_FULL, b"x")
        assert program.hear() == "refused 5 2 78"
        # It has gone where there is no channel.
        fake.move(0, 61)
        fake.channels[3].send(R.REFUSED, 5, R.NOT_CONNECTED, b"x")
        assert program.hear() == "refused 5 1 78"


@limit(120)
def test_a_worker_that_the_map_knows_first(client, fake):
    with fake.attach(client) as program:
        assert program.ask("write", 6, "aa") == "written false"
        # All is there before it looks at anything.
        time.sleep(1)               # Go does not wait again before
        program.proc.send_signal(signal.SIGSTOP)
        fake.channel(9)
        program.say("write", 6, "bb")
        program.proc.send_signal(signal.SIGCONT)
        assert program.hear() == "written true"
        fake.channels[9].expect(R.WRITE, 6, 0, b"\xbb")
        # And what else was said is heard.
        assert program.ask("close", 6, 1000, "why") == "closed true"


LIES = [R.message(0xeff), R.message(R.JOINED, data=b"x"),
    R.message(R.FRAME, 5, 50, bytes(65537)), R.message(R.REFUSED, 5, 1),
    struct.pack("=IIII", R.FRAME, 15, 5, 50),
    struct.pack("=IIII", R.FRAME, 1 << 31 | 16, 5, 50),
    R.message(R.FRAME_AT, 5, 50, bytes(4)),
    R.message(R.FRAME_AT, 5, 50, R.at(R.WINDOW_BYTES - 99, 100)),
    R.message(R.FRAME_AT, 5, 50, R.at(0, 65537))]


@limit(120)
def test_a_worker_that_lies_is_done_without(client, fake):
    with fake.attach(client) as program:
        for lie in LIES:
            old = fake.channels[3]
            try:
                old.sock.sendall(lie)
            except (BrokenPipeError, ConnectionResetError):
                pass            # its first bytes were enough
            old.expect_end()
            fake.channel(3)
            fake.channels[3].send(R.FRAME, 5, 50, b"x")
            assert program.hear() == "frame 5 78"
        fake.send(R.FRAME)
        assert program.hear().startswith("error ")
        assert program.ask("write", 5, "aa") == "written false"


class Hasty(FakeBeacon):
    """Its peers have sent before the program is attached."""

    def channel(self, worker):
        super().channel(worker)
        if worker == 3:
            for n in range(50):
                self.channels[3].send(R.FRAME, 5, 50,
                    relay(5, 5, b"%03d" % n))


@limit(60)
def test_what_comes_before_it_is_attached_is_not_lost(client, tmp_path):
    with Hasty(str(tmp_path / "router")) as fake, \
            fake.attach(client, "relay"):
        for n in range(50):
            fake.channels[3].expect(R.WRITE, 5, 0, deliver(5, b"%03d" % n))


def test_messages_in_shared_memory_are_sent_from_there(fake):
    with fake.attach("c", "relay"):
        channel = fake.channels[3]
        begin = 5 * R.WINDOW_BYTES + 64000
        for dest in 5, 7, 5:
            packet = relay(5, dest, bytes(1000))
            fake.window[64000:64000 + len(packet)] = packet
            channel.send(R.FRAME_AT, 5, 50, R.at(begin, len(packet)))
            if dest == 5:
                channel.expect(R.WRITE_AT, 5, 0,
                    R.at(begin + 4, len(packet) - 4))
                assert fake.window[64004:64009] == deliver(5, b"")
            channel.expect(R.FREE, number=begin + len(packet))
        # Of a session that another has replaced nothing is handed on.
        channel.send(R.FRAME_AT, 5, 49, R.at(begin, len(packet)))
        channel.expect(R.FREE, number=begin + len(packet))
        channel.send(R.FRAME, 5, 49, relay(5, 5, b"late"))
        # One that came by the channel goes by it.
        channel.send(R.FRAME, 5, 50, relay(5, 5, b"here"))
        channel.expect(R.WRITE, 5, 0, deliver(5, b"here"))
        # What came by another worker does not lie where this one can find it.
        fake.channels[60].send(R.FRAME, 6, 60, relay(6, 5, b"there"))
        channel.expect(R.WRITE, 5, 0, deliver(6, b"there"))
        # Without memory there is nothing in it.
        fake.channels[60].send(R.FRAME_AT, 6, 60, R.at(0, 100))
        fake.channels[60].expect_end()


@limit(120)
def test_a_channel_that_is_not_replaced_is_the_end(tmp_path):
    with contextlib.ExitStack() as stack:
        fakes, programs = [], []
        for talker in THREADED:
            fake = stack.enter_context(FakeBeacon(str(tmp_path / talker)))
            programs.append(stack.enter_context(fake.attach(talker)))
            # It takes its time for that: others may come.
            for worker in 60, 3:
                fake.channels[worker].close()
            fake.channel(60)
            fake.channels[60].send(R.FRAME, 9, 1, b"x")
            assert programs[-1].hear() == "frame 9 78"
            fakes.append(fake)
        time.sleep(3)
        for fake, program in zip(fakes, programs):
            fake.channel(3)
            fake.channels[3].send(R.FRAME, 9, 1, b"y")
            assert program.hear() == "frame 9 79"
        # The time counts from its last end on.
        since = time.monotonic()
        for fake in fakes:
            fake.channels[3].close()
        for program in programs:
            assert "worker 3" in program.hear()
            assert time.monotonic() - since >= 15
            assert program.ask("connected", 5) == "connected false"


@limit(120)
def test_what_comes_last_is_answered_on_a_channel_that_was_left(client, fake):
    count = 100
    with fake.attach(client, "relay") as program:
        first, last = fake.channels[3], fake.channels[60]
        program.proc.send_signal(signal.SIGTERM)
        for channel in first, last:
            channel.expect(R.LEAVE)
        first.send(R.LEFT)
        # More than the socket takes that nobody reads.
        for n in range(count):
            last.send(R.FRAME, 9, 1, relay(9, 5, struct.pack(">I", n) +
                bytes(30000)))
        last.send(R.LEFT)
        time.sleep(0.5)
        for n in range(count):
            data = first.expect(R.WRITE, 5)
            assert data[:9] == deliver(9, struct.pack(">I", n))
        first.expect_end()
        last.expect_end()
        program.leave()


@limit(120)
def test_it_says_that_it_leaves_however_much_waits(client, fake):
    with fake.attach(client) as program:
        written = 0
        for size in 4000, 100, 1:
            while program.ask("write", 5, "ab" * size) == "written true":
                written += 1
        program.proc.stdin.close()
        time.sleep(0.5)
        for _ in range(written):
            fake.channels[3].expect(R.WRITE, 5)
        for channel in fake.channels.values():
            channel.expect(R.LEAVE)
            channel.send(R.LEFT)
        assert program.hear().startswith("left")
        assert program.proc.wait(20) == 0


@limit(120)
def test_descriptors_that_nobody_takes_are_closed(client, fake):
    with fake.attach(client) as program:
        ours, theirs = socket.socketpair()
        # The message is not whole when the beacon goes.
        socket.send_fds(fake.sock, [R.message(R.CHANNEL, 4)[:8]],
            [theirs.fileno()])
        theirs.close()
        fake.sock.shutdown(socket.SHUT_WR)
        assert program.hear().startswith("error ")
        ours.settimeout(R.BOUND)
        assert ours.recv(1) == b""
        ours.close()


@limit(180)
def test_what_go_tests_by_itself():
    go("vet", "./...")
    assert "ok" in go("test", "-count=1", ".")


def test_python_wants_what_is_required(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(os.path.join(FRAME, "python"))
    from beacond_frame import Config, Server
    for wrong in [Config("", print), Config("r", None),
            Config("r", print, pub_key_lookup=print),
            Config("r", print, key_socket="k")]:
        with pytest.raises(ValueError):
            Server(wrong)
    server = Server(Config(str(tmp_path / "none"), print,
        pub_key_lookup=print, key_socket=str(tmp_path / "keys")))
    with pytest.raises(FileNotFoundError):
        server.start()
    assert not server.write_frame(1, b"x") and not server.is_connected(1)
    assert server.peer_count() == 0 and server.addr() == ""
    assert server.metrics().auth_ok == 0
    assert list(tmp_path.iterdir()) == []
    server.close()
    server.close()


def test_python_leaves_a_channel_alone_that_takes_no_more(monkeypatch, fake):
    monkeypatch.syspath_prepend(os.path.join(FRAME, "python"))
    import beacond_frame
    server = beacond_frame.Server(beacond_frame.Config(
        fake.listener.getsockname(), print))
    threading.Thread(target=fake.greet, daemon=True).start()
    server.start()
    channel = server._channels[3]
    while not channel.blocked:
        assert server.write_frame(5, bytes(30000))
        time.sleep(0.01)
    # Each try would copy all that waits.
    tries = []
    monkeypatch.setattr(channel, "write", lambda: tries.append(0))
    for _ in range(100):
        assert server.write_frame(5, b"x")
        time.sleep(0.001)
    monkeypatch.undo()
    assert tries == []
    for channel in fake.channels.values():
        channel.close()
    server.close()


def test_names_in_python_are_those_in_go(monkeypatch):
    monkeypatch.syspath_prepend(os.path.join(FRAME, "python"))
    from beacond_frame import Config
    struct = read("frame/go/wss.go").split("type Config struct {")[1]
    names = {re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in
        re.findall(r"^\t([A-Z]\w+) ", struct.split("\n}")[0], re.M)}
    assert names - {field.name for field in dataclasses.fields(Config)} == {
        "bind_addr", "auth_timeout", "idle_timeout", "max_peers"}
    assert {field.name for field in dataclasses.fields(Config)} <= names


@limit(120)
def test_nothing_it_opens_is_handed_on_to_programs_it_starts(client, fake):
    with fake.attach(client) as program:
        info = "/proc/%d/fdinfo/" % program.proc.pid
        flags = {fd: int(re.search("flags:\t([0-7]+)", read(info + fd))[1], 8)
            for fd in os.listdir(info) if int(fd) > 2}
        assert len(flags) >= 3
        assert [fd for fd in flags if not flags[fd] & os.O_CLOEXEC] == []


# What the documentation of the Go package has.
DOCUMENTED = {"New", "Start", "Addr", "WriteFrame", "IsConnected", "PeerCount",
    "Metrics", "Close", "Config.BindAddr", "Config.PubKeyLookup",
    "Config.OnFrame", "Config.AuthTimeout", "Config.IdleTimeout",
    "Config.MaxPeers", "DefaultAuthTimeout", "DefaultIdleTimeout",
    "MaxFrameSize", "OnFrameFn", "PubKeyLookupFn", "Metrics.UpgradeOK",
    "Metrics.UpgradeFail", "Metrics.AuthOK", "Metrics.AuthFail",
    "Metrics.FramesIn", "Metrics.FramesOut", "Metrics.IdleDisconns",
    "Metrics.ActivePeers"}


def read(*patterns):
    return "".join(open(path).read() for pattern in patterns
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))))


def test_the_table_for_who_comes_from_the_go_package():
    """Each item is answered by what there is, and shown by a test."""
    text = read("README.md").split("| the Go package's |")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines()[2:]]
    assert {len(row) for row in rows} == {3}
    words = [[re.findall("`([^`]+)`", cell) for cell in row] for row in rows]
    assert DOCUMENTED <= {name for row in words for name in row[0]}
    there = read("frame/go/*.go", "frame/frame.h", "frame/python/*.py",
        "parent/conf_table.c", "etc/beacond-metrics.7")
    tests = set(re.findall(r"^(?:def|func) (\w+)\(", read(
        "regress/system/test_*.py", "frame/go/*_test.go"), re.M))
    for row, (_, answers, shown) in zip(rows, words):
        assert [word for word in answers if word not in there] == [], row
        assert shown and set(shown) <= tests, row


def test_the_constants_are_the_defaults():
    source = read("frame/go/wss.go")
    default = dict(re.findall(r"^([a-z ]+) (\d+)$", read(
        "regress/config/defaults.ok"), re.M))
    for name, directive in ("DefaultAuthTimeout", "auth timeout"), (
            "DefaultIdleTimeout", "idle timeout"):
        assert "%s = %s * time.Second" % (name, default[directive]) in source
    assert "MaxFrameSize = 64 * 1024\n" in source
    assert default["max frame"] == str(64 * 1024)
