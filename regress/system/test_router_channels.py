# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Channels to workers that come, leave and end while a router writes."""

import concurrent.futures
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

import router as R
from beacon import limit, wait_for
from frame_clients import CLIENTS, FRAME, FakeBeacon, built, client, fake, \
    talker


@pytest.fixture
def python(monkeypatch, fake):
    """A server in this process, attached."""
    monkeypatch.syspath_prepend(os.path.join(FRAME, "python"))
    import beacond_frame
    server = beacond_frame.Server(beacond_frame.Config(
        fake.listener.getsockname(), lambda sender, frame: None))
    threading.Thread(target=fake.greet, daemon=True).start()
    server.start()
    yield server
    for channel in fake.channels.values():
        channel.close()
    server.close()


def hear_all(program, last):
    """What it says up to that, which is not that it has ended; two threads that
    say something may share a line."""
    line = ""
    while line != last:
        line = program.hear()
        assert program.proc.poll() is None, line
        assert not line.startswith("error"), line[:100]


@limit(120)
def test_all_workers_that_it_was_told_of_are_met(client, fake):
    with fake.attach(client) as program:
        # All is there before it looks at anything.
        program.proc.send_signal(signal.SIGSTOP)
        for worker in 4, 9:
            fake.channel(worker)
        program.say("write", 6, "bb")
        program.proc.send_signal(signal.SIGCONT)
        assert program.hear() == "written true"
        fake.channels[9].expect(R.WRITE, 6, 0, b"\xbb")


def test_python_meets_them_whoever_reads(python, fake):
    with python._control_lock:
        for worker in 4, 9:
            fake.channel(worker)
        assert python.write_frame(6, b"x")
    fake.channels[9].expect(R.WRITE, 6, 0, b"x")


@limit(120)
def test_what_was_said_before_a_write_met_the_end_is_heard(tmp_path):
    with contextlib.ExitStack() as stack:
        programs = []
        for client in CLIENTS:
            fake = stack.enter_context(FakeBeacon(str(tmp_path / client)))
            program = stack.enter_context(fake.attach(built(client)))
            programs.append(program)
            worker = fake.channels[3]
            # Nobody reads what it says of that: it is busy with it.
            worker.send(R.FRAME, 5, 50, bytes(60000))
            time.sleep(0.5)
            worker.send(R.REFUSED, 5, R.QUEUE_FULL, b"x")
            worker.send(R.LEFT)
            worker.close()
            program.say("write", 5, "aa")
            time.sleep(0.5)
        for program in programs:
            hear_all(program, "refused 5 2 78")
        # Longer than another channel would be waited for.
        time.sleep(16)
        for program in programs:
            program.say("count")
            hear_all(program, "count 2")


def descriptors(program):
    return len(os.listdir("/proc/%d/fd" % program.proc.pid))


@limit(120)
def test_descriptors_that_no_message_wants_are_closed(client, fake):
    with fake.attach(client) as program:
        fake.channels[60].send(R.FRAME, 5, 50, b"x")
        assert program.hear() == "frame 5 78"
        count = descriptors(program)
        # A worker may be in the hands of a stranger.
        worker = fake.channels[3]
        for _ in range(200):
            try:
                socket.send_fds(worker.sock, [R.message(R.FRAME, 5, 50, b"y")],
                    [fake.map_fd])
            except (BrokenPipeError, ConnectionResetError):
                break       # one was enough
        hear_all(program, "frame 5 79")
        assert descriptors(program) <= count + 64
        worker.close()
        fake.channel(3)
        fake.channels[3].send(R.FRAME, 5, 50, b"z")
        hear_all(program, "frame 5 7a")
        wait_for(lambda: descriptors(program) <= count)


@limit(120)
def test_descriptors_that_the_beacon_sends_with_anything_are_closed(
        talker, fake):
    with fake.attach(talker) as program:
        count = descriptors(program)
        address = R.message(R.ADDRESS, data=bytes(20))
        for _ in range(200):
            socket.send_fds(fake.sock, [address], [fake.map_fd])
        # And no message has that of another.
        fake.channel(4)
        fake.channels[4].send(R.FRAME, 5, 50, b"x")
        assert program.hear() == "frame 5 78"
        wait_for(lambda: descriptors(program) == count + 1)


@limit(120)
def test_a_channel_that_comes_while_it_leaves_is_left_too(client, fake):
    with fake.attach(client) as program:
        program.proc.stdin.close()
        for channel in fake.channels.values():
            channel.expect(R.LEAVE)
        # One more, and one in the place of another.
        for worker in 9, 60:
            fake.channel(worker)
            fake.channels[worker].expect(R.LEAVE)
        fake.channels[3].send(R.LEFT)
        time.sleep(0.5)
        for worker in 9, 60:
            fake.channels[worker].send(R.FRAME, worker, 1, b"x")
            assert program.hear() == "frame %d 78" % worker
            fake.channels[worker].send(R.LEFT)
        assert program.hear().startswith("left")
        assert program.proc.wait(20) == 0


@limit(120)
def test_left_is_answered_however_much_waits(client, fake):
    with fake.attach(client) as program:
        worker = fake.channels[3]
        written = 0
        for size in 4000, 100, 1:
            while program.ask("write", 5, "ab" * size) == "written true":
                written += 1
        worker.send(R.FRAME, 5, 50, b"x")
        worker.send(R.LEFT)
        assert program.hear() == "frame 5 78"
        time.sleep(0.5)
        for _ in range(written):
            worker.expect(R.WRITE, 5)
        worker.expect(R.LEAVE)


@limit(120)
def test_nothing_is_written_behind_the_answer_to_left(client, fake):
    with fake.attach(client) as program:
        fake.channels[3].send(R.LEFT)
        fake.channels[3].expect(R.LEAVE)
        assert program.ask("write", 5, "aa") == "written false"
        assert program.ask("close", 5, 1000, "why") == "closed false"
        fake.move(0, 60)
        assert program.ask("write", 5, "bb") == "written true"
        fake.channels[60].expect(R.WRITE, 5, 0, b"\xbb")
        fake.channels[3].close()


def written(sock):
    """How many WRITEs of eight bytes come before LEAVE, behind which, up to the
    end or for a while, nothing comes."""
    data = bytearray()
    leave = R.message(R.LEAVE)
    sock.settimeout(R.BOUND)
    with contextlib.suppress(TimeoutError):
        while got := sock.recv(1 << 18):
            data += got
            if leave in data[-200:]:
                sock.settimeout(0.1)
    count, rest = divmod(len(data) - len(leave), R.HEADER.size + 8)
    assert rest == 0 and data.endswith(leave), data[-200:]
    return count


@limit(120)
def test_threads_lose_nothing_while_a_node_moves(talker, fake):
    with fake.attach(talker) as program, \
            concurrent.futures.ThreadPoolExecutor(32) as pool:
        # Of a channel that is replaced what is underway is lost.
        fake.channels[60].send(R.LEFT)
        fake.channels[60].expect(R.LEAVE)
        fake.channels[60].close()
        heard = [pool.submit(written, fake.channels[3].sock)]

        def move():
            here, there = 3, 60
            for _ in range(20):
                old = fake.channels[here]
                fake.channel(there)
                heard.append(pool.submit(written, fake.channels[there].sock))
                fake.move(0, there)
                old.send(R.LEFT)
                heard[-2].result()
                old.close()
                here, there = there, here

        moving = pool.submit(move)
        count = 0
        while not moving.done():
            assert program.ask("flood", 5, 500, 4) == "flooded 2000"
            count += 2000
        moving.result()
        program.proc.stdin.close()
        assert sum(one.result() for one in heard) == count
