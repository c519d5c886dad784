# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Channels to workers that come, leave and end while a router writes."""

import os
import signal
import threading

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
