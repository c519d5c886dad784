# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Channels to workers that come, leave and end while a router writes."""

import contextlib
import os
import signal
import threading
import time

import pytest

import router as R
from beacon import limit
from frame_clients import CLIENTS, FRAME, FakeBeacon, built


@pytest.fixture(params=CLIENTS)
def client(request):
    return built(request.param)


@pytest.fixture
def fake(tmp_path):
    with FakeBeacon(str(tmp_path / "router")) as beacon:
        yield beacon


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
