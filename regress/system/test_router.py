# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A program in the place of the relay, what it says and is told."""

import os
import signal
import socket
import stat
import struct

import pytest

import router as R
from beacon import IS_ROOT, Beacon, alive, limit, wait_for, write
from client import BINARY, deliver, frame, login, pair_on_workers, relay
from router import Router, Stream, message


class Routed(Beacon):
    """A beacon with a router socket."""

    def __init__(self, conf="", **how):
        super().__init__("", **how)
        self.router_path = os.path.join(self.directory, "router.sock")
        self.write_conf('router socket "%s"\n%s' % (self.router_path, conf),
            how.get("workers", 2))

    def router(self, **how):
        return Router(self.router_path, **how)

    def without(self):
        """The relay has it again: how many have been told so far."""
        return sum(line.startswith("beacond: router: gone")
            for line in self.lines)


def close_text(code, text):
    return struct.pack("=I", code) + text


def generation(b, node):
    return b.ctl("show", "peer", node)["generation"]


def test_frames_of_all_kinds_go_to_it_and_from_it():
    with Routed() as b, b.router() as r:
        one, two, rest = pair_on_workers(b, True)
        here, there = (r.channels[b.worker_of(p.node)] for p in (one, two))
        came = {}
        for peer in [one, two] + rest:
            channel = r.channels[b.worker_of(peer.node)]
            kind, node, number, _, _ = channel.receive()
            assert kind == R.CAME
            came[node] = number
        assert came == {peer.node: generation(b, peer.node)
            for peer in [one, two] + rest}
        for packet in b"", b"\0", b"what is no packet", relay(9, 9, b"x"), \
                bytes(65536):
            one.send_packet(packet)
            here.expect(R.FRAME, one.node, generation(b, one.node), packet)
        for packet in b"\0", b"any", bytes(range(256)) * 128:
            there.send(R.WRITE, two.node, data=packet)
            assert two.recv_packet() == packet
        for peer in [one, two] + rest:
            peer.close()


def test_messages_in_shared_memory():
    """They lie there, and from there go to a peer of that worker."""
    with Routed(workers=1) as b, b.router(version=R.VERSION) as r:
        channel, window = r.channels[0], r.windows[0]
        with login(b, 1) as one, login(b, 2) as two:
            channel.expect(R.CAME, 1)
            channel.expect(R.CAME, 2)
            one.send_packet(b"small")
            channel.expect(R.FRAME, 1, generation(b, 1), b"small")
            one.send_packet(b"abcd" * 250)
            place = channel.expect(R.FRAME_AT, 1, generation(b, 1))
            begin, length = struct.unpack("=II", place)
            begin %= R.WINDOW_BYTES
            assert window[begin:begin + length] == b"abcd" * 250
            # What is there just then is what is sent, wherever it is sent.
            window[begin + 1:begin + 2] = b"B"
            channel.send(R.WRITE_AT, 2, data=R.at(begin + 1, 999))
            assert two.recv_packet() == (b"aBcd" + b"abcd" * 249)[1:]
            channel.send(R.WRITE_AT, 1, data=R.at(begin + 4, 8))
            assert one.recv_packet() == b"abcdabcd"
            # One that is not connected: it comes back, whole.
            channel.send(R.WRITE_AT, 9, data=R.at(begin, 1000))
            channel.expect(R.REFUSED, 9, R.NOT_CONNECTED,
                b"aBcd" + b"abcd" * 249)
            channel.send(R.FREE, number=begin + length)


def test_shared_memory_that_is_full():
    """What has no room there comes by the channel, in its order."""
    fit = R.WINDOW_BYTES // 16384
    count = fit + 64
    with Routed("source packet limit 0", workers=1) as b, \
            b.router(version=R.VERSION) as r:
        channel, window = r.channels[0], r.windows[0]
        with login(b, 1) as one:
            channel.expect(R.CAME, 1)
            kinds = []
            for turn in range(2):
                for n in range(count):
                    one.send_packet(struct.pack("=I", n) * 4096)
                for n in range(count):
                    kind, _, _, data, _ = channel.receive()
                    kinds.append(kind)
                    if kind == R.FRAME_AT:
                        end, length = struct.unpack("=II", data)
                        begin = end % R.WINDOW_BYTES
                        end += length
                        data = window[begin:begin + length]
                    assert data == struct.pack("=I", n) * 4096
                channel.send(R.FREE, number=end)
                # It is read before what the peer says next.
                channel.send(R.WRITE, 31, data=b"nobody")
                channel.expect(R.REFUSED, 31)
            assert kinds == ([R.FRAME_AT] * fit +
                [R.FRAME] * (count - fit)) * 2
            assert b.metric("router_window_full") == 2 * (count - fit)


def test_no_shared_memory_for_who_wants_none():
    with Routed(workers=1) as b, b.router(version=R.PLAIN) as r:
        with login(b, 1) as one:
            r.channels[0].expect(R.CAME, 1)
            one.send_packet(bytes(1000))
            r.channels[0].expect(R.FRAME, 1, data=bytes(1000))
        assert r.windows == {}


def test_a_new_worker_has_memory_of_its_own():
    with Routed(workers=1) as b, b.router(version=R.VERSION) as r:
        old = r.windows[0]
        os.kill(b.pid_of("worker"), signal.SIGKILL)
        while r.step() != R.CHANNEL:
            pass
        with login(b, 1) as one:
            r.channels[0].expect(R.CAME, 1)
            one.send_packet(b"x" * 1000)
            r.channels[0].expect(R.FRAME_AT, 1, data=R.at(0, 1000))
            assert r.windows[0][:1000] == b"x" * 1000
            assert old[:1000] == bytes(1000)


@pytest.mark.parametrize("answer", [True, False])
def test_a_worker_that_goes_says_so(answer):
    """A router that does not answer keeps it no longer than 2 s."""
    with Routed(workers=1) as b, b.router() as r, login(b, 1) as one:
        old, pid = r.channels[0], b.pid_of("worker")
        old.expect(R.CAME, 1)
        for n in range(500):
            one.send_packet(struct.pack("=I", n) * 1024)
        one.in_step()
        b.ctl("upgrade")
        while r.step() != R.CHANNEL:
            pass
        # Behind all that it had.
        for n in range(500):
            old.expect(R.FRAME, 1, data=struct.pack("=I", n) * 1024)
        old.expect(R.LEFT)
        # It still takes what is written for it.
        old.send(R.WRITE, 31, data=b"nobody")
        old.expect(R.REFUSED, 31, R.NOT_CONNECTED, b"nobody")
        if answer:
            old.send(R.LEAVE)
        else:
            b.wait_line("the router does not answer LEFT: its channel")
        old.expect_end()
        wait_for(lambda: not alive(pid))
        one.send_packet(b"by the other channel")
        r.channels[64].expect(R.FRAME, 1, data=b"by the other channel")
        assert b.without() == 0


def test_it_hears_nothing_of_an_upgrade_that_fails():
    """A channel that ended without LEFT would have it begin anew."""
    with Routed(workers=1, unprivileged=True) as b, b.router() as r, \
            login(b, 1) as one:
        r.channels[0].expect(R.CAME, 1)
        auth = os.path.join(b.programs, "beacond-auth")
        os.rename(auth, auth + ".good")
        write(auth, "#!/bin/sh\nexec sleep 60\n")
        os.chmod(auth, 0o755)
        b.ctl("upgrade", text=True, ok=1)
        b.wait_line("new processes: .*; all stays as it was")
        os.rename(auth + ".good", auth)
        b.ctl("upgrade", text=True)
        # The next that it hears of is one that has come to stay.
        while r.step() != R.CHANNEL:
            pass
        assert sorted(r.channels) == [0, 64]
        one.send_packet(b"by the other channel")
        r.channels[64].expect(R.FRAME, 1, data=b"by the other channel")


def test_a_stop_waits_for_peers_and_then_for_the_router():
    """Neither answers; still each process ends by itself."""
    with Routed(workers=1) as b, b.router() as r, login(b, 1) as one:
        r.channels[0].expect(R.CAME, 1)
        b.proc.send_signal(signal.SIGTERM)
        # It has 3 seconds for its half of the close, the router what is left
        # until what has not ended is killed, after 4.
        b.ends()
        r.channels[0].expect(R.GONE, 1)
        r.channels[0].expect(R.LEFT)
        b.wait_line("the router does not answer LEFT: its channel")
        assert not any("did not end" in line for line in b.lines)


def test_what_cannot_be_delivered_comes_back():
    with Routed(workers=2) as b, b.router() as r:
        one, two, rest = pair_on_workers(b, True)
        here = r.channels[b.worker_of(one.node)]
        for _ in range(1 + sum(b.worker_of(p.node) == b.worker_of(one.node)
                for p in rest)):
            assert here.receive()[0] == R.CAME
        # Nobody, and somebody who is at the other worker.
        for node in 31, two.node:
            here.send(R.WRITE, node, data=b"lost")
            here.expect(R.REFUSED, node, R.NOT_CONNECTED, b"lost")
        here.send(R.WRITE, one.node, data=bytes(32769))
        here.expect(R.REFUSED, one.node, R.TOO_LARGE, bytes(32769))
        here.send(R.WRITE, one.node, data=b"last")
        assert one.recv_packet() == b"last"
        b.wait_metric(3, "router_refused")
        for peer in [one, two] + rest:
            peer.close()


@limit(120)
def test_more_than_a_peer_takes_comes_back():
    with Routed(workers=1) as b, b.router() as r:
        channel = r.channels[0]
        with login(b, 1, rcvbuf=4096) as slow:
            channel.expect(R.CAME, 1)
            for _ in range(512):
                channel.send(R.WRITE, 1, data=bytes(32768))
            assert channel.expect(R.REFUSED, 1, R.QUEUE_FULL) == bytes(32768)
            # What was not refused arrives.
            refused = b.metric("router_refused")
            dropped = b.metric("drops_total", reason="queue_full")
            for _ in range(512 - refused - dropped):
                assert slow.recv_packet() == bytes(32768)


def test_it_closes_sessions():
    with Routed(workers=1) as b, b.router() as r:
        channel = r.channels[0]
        for code, number, text in (4999, 0, b"enough"), (1000, 1, b""):
            with login(b, 1) as peer:
                got = generation(b, 1)
                channel.expect(R.CAME, 1, got)
                # An earlier generation is not meant.
                channel.send(R.CLOSE, 1, got + 1, close_text(1000, b""))
                channel.send(R.CLOSE, 1, got * number,
                    close_text(code, text))
                peer.expect_close(code, text.decode())
                channel.expect(R.GONE, 1, got)
        channel.send(R.CLOSE, 7, 0, close_text(1000, b"nobody"))
        b.wait_metric(2, "router_closed")


def test_it_is_told_who_comes_and_goes():
    with Routed(workers=1) as b:
        early = login(b, 1)
        with b.router() as r:
            channel = r.channels[0]
            with login(b, 2):
                first = generation(b, 2)
                channel.expect(R.CAME, 2, first)
                with login(b, 2):
                    second = generation(b, 2)
                    assert second > first
                    got = {channel.receive()[:3] for _ in range(2)}
                    assert got == {(R.GONE, 2, first), (R.CAME, 2, second)}
            channel.expect(R.GONE, 2, second)
            early.close()
            channel.expect(R.GONE, 1)


def test_the_relay_takes_over_at_once():
    with Routed() as b:
        with login(b, 1) as one, login(b, 2) as two:
            for ends in range(1, 4):
                one.send_to(2, b"without")
                two.expect_from(1, b"without")
                r = b.router()
                one.send_to(2, b"with")
                channel = r.channels[b.worker_of(1)]
                channel.expect(R.FRAME, 1, data=relay(1, 2, b"with"))
                r.close()
                wait_for(lambda: b.without() == ends)
            # No session was lost by it, nor a packet after it.
            one.send_to(2, b"without")
            two.expect_from(1, b"without")


def test_frames_are_dropped_if_so_configured():
    with Routed("router fallback drop") as b:
        with login(b, 1) as one, login(b, 2) as two:
            one.send_to(2, b"dropped")
            b.wait_metric(1, "drops_total", reason="router_away")
            with b.router() as r:
                assert r.limits == (R.PLAIN, 65536, 32768, 1)
                one.send_to(2, b"taken")
                r.channels[b.worker_of(1)].expect(R.FRAME, 1)
            wait_for(lambda: b.without() == 1)
            one.send_to(2, b"dropped")
            b.wait_metric(2, "drops_total", reason="router_away")
            # The fallback is changed by a reload.
            b.write_conf('router socket "%s"' % b.router_path)
            b.ctl("reload", text=True)
            one.send_to(2, b"relayed")
            two.expect_from(1, b"relayed")


def test_a_new_worker_gets_a_new_channel():
    with Routed(workers=2) as b, b.router() as r:
        old = r.channels[1]
        b.wait_new("worker", b.kill("worker", 1), 1)
        assert r.step() == R.CHANNEL
        assert r.channels[1] is not old
        old.expect_end()
        one, two, rest = pair_on_workers(b, True)
        r.channels[1].expect(R.CAME, next(p.node for p in [one, two] + rest
            if b.worker_of(p.node) == 1))
        for peer in [one, two] + rest:
            peer.close()


def test_one_program_at_a_time():
    with Routed() as b, b.router() as r:
        with b.router() as other:
            assert other.answer == R.NOT_WELCOME and other.reason == 2
            other.control.expect_end()
        r.control.send(R.METRICS)
        assert r.step() == R.METRICS_ARE


def test_one_that_asks_without_end_is_shown_out():
    with Routed() as b:
        with b.router() as r:
            r.control.sock.sendall(message(R.METRICS) * 500)
            b.wait_line("router: gone: flood of messages")
        with b.router() as r:
            assert r.answer == R.WELCOME


def test_another_version_is_refused():
    with Routed() as b:
        with b.router(version=R.VERSION + 1) as r:
            assert r.answer == R.NOT_WELCOME and r.reason == 1
            r.control.expect_end()
        with b.router() as r:
            assert r.answer == R.WELCOME


def test_what_it_learns_of_the_beacon():
    with Routed(workers=1) as b, b.router() as r:
        (address, port), = r.addresses
        assert (address[12:], port) == (socket.inet_aton("127.0.0.1"), b.port)
        with login(b, 1) as peer:
            peer.send_packet(b"x")
            r.channels[0].expect(R.CAME, 1)
            r.channels[0].expect(R.FRAME, 1)
            assert struct.unpack_from("=I", r.map, 28) == (1,)
            r.control.send(R.METRICS)
            assert r.step() == R.METRICS_ARE
            assert r.metrics == (1, 0, 1, 0, 1, 0, 0, 1)


def test_the_map_cannot_be_written():
    with Routed() as b:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(b.router_path)
        s = Stream(sock)
        s.send(R.HELLO, data=struct.pack("=I", R.VERSION))
        kind, _, _, _, fd = s.receive()
        assert kind == R.WELCOME
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"\xff", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)
        os.close(fd)
        s.close()


def test_who_may_connect():
    with Routed() as b:
        st = os.stat(b.router_path)
        assert stat.S_IMODE(st.st_mode) == 0o600
        if not IS_ROOT:
            return
        # Whatever becomes of the mode: not by somebody else.
        os.chmod(b.router_path, 0o666)
        pid = os.fork()
        if pid == 0:
            os.setresgid(12345, 12345, 12345)
            os.setresuid(12345, 12345, 12345)
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(b.router_path)
            os._exit(0 if sock.recv(1) == b"" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not os.path.exists(b.router_path)


def test_a_program_that_leaves_in_good_order_loses_nothing():
    count = 2000
    with Routed(workers=2) as b:
        one, two, rest = pair_on_workers(b, True)
        with b.router() as r:
            for n in range(count):
                one.send_to(two.node, struct.pack(">I", n))
                if n == count // 2:
                    for channel in r.channels.values():
                        channel.send(R.LEAVE)
            left = 0
            for channel in r.channels.values():
                while True:
                    got = channel.receive()
                    if got[0] == R.LEFT:
                        break
                    if got[0] == R.FRAME:
                        left += 1
                        r.channels[b.worker_of(two.node)].send(R.WRITE,
                            two.node, data=deliver(one.node, got[3][9:]))
        assert 0 < left < count
        got = sorted(struct.unpack(">BII", two.recv_packet())[2]
            for _ in range(count))
        assert got == list(range(count))
        for peer in [one, two] + rest:
            peer.close()


@limit(90)
def test_a_program_that_does_not_read_is_done_without():
    with Routed(workers=1) as b, b.router() as r:
        with login(b, 1) as one, login(b, 2) as two:
            for _ in range(600):
                one.send_to(2, bytes(16384))
            one.in_step()
            assert b.metric("drops_total", reason="router_full") > 0
            b.wait_line("the router does not read", 15)
            one.send_to(2, b"relayed")
            two.expect_from(1, b"relayed")
            assert b.metric("drops_total", reason="router_lost") > 0
            two.in_step()
            r.channels[0].close()


def lie(kind, node=0, number=0, data=b"", length=None):
    whole = bytearray(message(kind, node, number, data))
    if length is not None:
        struct.pack_into("=I", whole, 4, length)
    return bytes(whole)


LIES = {
    "unknown type": lie(0xf05),
    "a type of the worker's": lie(R.FRAME, 1, data=b"x"),
    "empty message": lie(R.WRITE, 1),
    "longer than any": lie(R.WRITE, 1, data=b"", length=65553),
    "shorter than its header": lie(R.WRITE, 1, length=15),
    "longer than memory": lie(R.WRITE, 1, length=0x7fffffff),
    "a descriptor that is none": lie(R.WRITE, 1, length=0x80000011),
    "close without a code": lie(R.CLOSE, 1),
    "close with half a code": lie(R.CLOSE, 1, data=b"\0\0"),
    "close with a code of no use": lie(R.CLOSE, 1, data=close_text(1006, b"")),
    "close with a code too large": lie(R.CLOSE, 1,
        data=close_text(1000 + (1 << 16), b"")),
    "close with too much text": lie(R.CLOSE, 1,
        data=close_text(1000, bytes(124))),
    "close with text that is none": lie(R.CLOSE, 1,
        data=close_text(1000, b"\xff")),
    "leave with data": lie(R.LEAVE, data=b"x"),
    "half of a place": lie(R.WRITE_AT, 1, data=bytes(4)),
    "nothing at a place": lie(R.WRITE_AT, 1, data=R.at(0, 0)),
    "a place where nothing is": lie(R.WRITE_AT, 1, data=R.at(0, 100)),
    "a place beyond all memory": lie(R.WRITE_AT, 1, data=R.at(1 << 31, 100)),
    "more than there is": lie(R.WRITE_AT, 1, data=R.at(0, 0xffffffff)),
    "is done with nothing": lie(R.FREE, number=1),
    "is done, with data": lie(R.FREE, data=b"x"),
}


@pytest.mark.parametrize("what", LIES)
def test_lies_cost_it_the_channel(what):
    with Routed(workers=1) as b, b.router(version=R.VERSION) as r:
        with login(b, 1) as one, login(b, 2) as two:
            r.channels[0].sock.sendall(LIES[what])
            b.wait_line("the router broke the rules")
            one.send_to(2, b"relayed")
            two.expect_from(1, b"relayed")
            assert b.pid_of("worker") in b.seen


@pytest.mark.parametrize("first", [
    message(R.METRICS), message(R.HELLO), message(R.WRITE, 1, 0, b"x"),
    message(R.HELLO, data=bytes(8)), bytes(16), b"\xff" * 64])
def test_what_is_no_hello_is_the_end(first):
    with Routed(workers=1) as b:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(b.router_path)
        s = Stream(sock)
        sock.sendall(first)
        s.expect_end()
        with b.router() as r:
            assert r.answer == R.WELCOME


def test_a_program_that_dies_costs_no_session():
    with Routed(workers=2) as b:
        one, two, rest = pair_on_workers(b, True)
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _ = b.router()
                os.write(theirs, b"x")
                signal.pause()
            finally:
                os._exit(1)
        assert os.read(ours, 1) == b"x"
        one.send_to(two.node, b"into the void")
        one.in_step()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ours)
        os.close(theirs)
        b.wait_line("router: gone")
        # Its worker is told so before it is asked this.
        b.ctl("show", "peer", one.node)
        one.send_to(two.node, b"relayed")
        two.expect_from(one.node, b"relayed")
        for peer in [one, two] + rest:
            peer.in_step()
            peer.close()
