# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Whoever runs code in a worker or in auth gets no further than that.

Each attack is made by a real child in its real sandbox (taken.py), or, where
that would not let it, in the place of one (puppet.py), which has the same
descriptors and no sandbox.
"""

import errno
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

from beacon import wait_for
from client import Client, login
from puppet import P, Staged, message
from taken import Died, Seized, address
from test_failures import Chat
from test_hostile import (FENCE, KEYS_READ, UNKNOWN, admit, complaint,
    wait_killed)
from test_service import Activated, bound
from udp import Udp

MSG_FASTOPEN = 0x20000000
SO_TIMESTAMPING = 37
SIGSYS = "died of SIGSYS"
USELESS = "was of no use any more"


def bystanders(beacon, nodes=range(1, 25)):
    """Two peers of workers other than the first."""
    found = []
    for node in nodes:
        client = login(beacon, node)
        if beacon.worker_of(node) == 0:
            client.close()
        else:
            found.append(client)
        if len(found) == 2:
            return found
    raise AssertionError("all are on the first worker")


class Scene:
    """with Scene(beacon) as b: two peers talk meanwhile, and notice nothing.

    What they talk through is not the first worker, which is the attacker.
    """

    def __init__(self, kind, places, conf="", **how):
        self.beacon = kind(places, conf=conf + "\nsource packet limit 0",
            **how)

    def __enter__(self):
        b = self.beacon.__enter__()
        try:
            self.ends = bystanders(b)
            self.chat = Chat(*self.ends)
            self.chat.start()
            wait_for(lambda: self.chat.count > 10)
        except BaseException as why:
            b.__exit__(type(why), why, None)
            raise
        return b

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                before = self.chat.count
                wait_for(lambda: self.chat.count > before + 20 or
                    self.chat.error)
                self.chat.stop()
        except BaseException as why:
            kind, value = type(why), why
            raise
        finally:
            for client in self.ends:
                client.close()
            self.beacon.__exit__(kind, value, trace)


def everybody_gets_in(beacon, nodes=range(25, 33)):
    for node in nodes:
        with login(beacon, node) as client:
            client.in_step()


def everybody_is_answered(beacon, count=32):
    """At ports enough that each worker's socket gets some of them."""
    for node in range(200, 200 + count):
        with Udp(beacon.udp_port, node) as far:
            far.discover()


def first_worker(count=1):
    """The first worker and its first successors: count in all."""
    return lambda role, number, epoch: role == "worker" and number == 0 and \
        epoch <= count


# What is shared

def test_shutdown_is_not_a_workers_to_call():
    """Of a listener it would be the end for all, of a UDP socket for its
    successors."""
    acts = [(True, socket.SHUT_RD), (True, socket.SHUT_RDWR),
        (False, socket.SHUT_RD), (False, socket.SHUT_RDWR)]
    with Scene(Seized, first_worker(len(acts)), udp=True,
            security=SIGSYS) as b:
        for listener, how in acts:
            taken = b.taken()
            port = b.port if listener else b.udp_port
            taken.dies("shutdown", taken.socket(listener, port), how)
            b.wait_line(r"worker\[0\] \(pid %d\) %s" % (taken.pid, SIGSYS))
            b.wait_new("worker", taken.pid)
        everybody_gets_in(b)
        everybody_is_answered(b)
        assert not any(USELESS in line for line in b.lines), b.lines


def unconnect(listener, target):
    listener.shutdown(socket.SHUT_RD)


def dial(listener, target):
    """A listener that was shut down is a socket that can be connected."""
    listener.shutdown(socket.SHUT_RD)
    try:
        listener.sendto(b"out", MSG_FASTOPEN, target.getsockname())
    except BlockingIOError:
        pass
    target.accept()[0].close()


def shut_all(sock, _):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def shut_sending(sock, _):
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def begin(sock, target):
    """Whatever is sent next is a part of this, and goes there."""
    sock.sendto(b"begun", socket.MSG_MORE, target.getsockname())


def fill_errors(sock, target):
    """Whoever waits for the socket is woken by them for ever."""
    for _ in range(100):
        sock.sendmsg([b"x"], [(socket.SOL_SOCKET, SO_TIMESTAMPING,
            struct.pack("=I", 1 << 1 | 1 << 8))], 0, target.getsockname())


def spoil(puppet, kind, act, target):
    fd, = puppet.fds.pop(kind)
    with socket.socket(fileno=fd) as sock:
        act(sock, target)


def end(b, puppet):
    """The puppet dies; its traces are seen to before it is replaced."""
    puppet.raw(FENCE)
    wait_killed(b, "worker[%d]" % puppet.number, puppet, UNKNOWN)
    b.wait_new("worker", puppet.pid, puppet.number)


def test_a_listener_that_was_shut_down_listens_again():
    """Should there be a way to do that all the same."""
    acts = [unconnect, shut_all, dial]
    with Scene(Staged, first_worker(len(acts)),
            security="killed$|mended$") as b, \
            socket.create_server(("127.0.0.1", 0)) as target:
        for n, act in enumerate(acts, 1):
            puppet = b.puppet(epoch=n)
            spoil(puppet, P.PW_LISTENER, act, target)
            end(b, puppet)
            everybody_gets_in(b)
            b.wait_metric(n, "sockets_mended")
        found = [line for line in b.lines if USELESS in line]
        assert len(found) == len(acts), found
        assert all(re.match(r"beacond: security: worker\[0\] \(pid \d+\) is "
            r"dead, and the socket of 127\.0\.0\.1:%d \(websocket\) "
            r"was of no use any more: mended$" % b.port, line)
            for line in found), found


def test_a_udp_socket_that_was_spoiled_is_as_new():
    """Each by the worker that it belongs to."""
    acts = [shut_all, shut_sending, begin, fill_errors]
    with Scene(Staged, lambda role, number, epoch: number < len(acts) and
            epoch == 1, workers=len(acts) + 1, udp=True,
            security="killed$|mended$") as b, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        for number, act in enumerate(acts):
            puppet = b.puppet(number=number)
            spoil(puppet, P.PW_UDP, act, target)
            while select.select([target], [], [], 0)[0]:
                target.recv(100)
            end(b, puppet)
        everybody_is_answered(b, 64)
        assert not select.select([target], [], [], 0.1)[0], \
            target.recv(100)
        idle(b, range(len(acts)))
        b.wait_metric(2, "sockets_mended")
        found = [line for line in b.lines if USELESS in line]
        assert len(found) == 2 and all("127.0.0.1:%d (udp)" % b.udp_port in
            line for line in found), found


def ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        word = f.read().rpartition(")")[2].split()
    return int(word[11]) + int(word[12])


def idle(beacon, workers):
    """None of them is busy with nothing."""
    pids = [beacon.pid_of("worker", number) for number in workers]
    before = list(map(ticks, pids))
    time.sleep(0.5)
    used = [(ticks(pid) - was) / os.sysconf("SC_CLK_TCK")
        for pid, was in zip(pids, before)]
    assert max(used) < 0.2, "of half a second: %s" % used


def inherited(kind):
    """A socket, bound by number as a service manager does, and its line."""
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    s = bound(kind)
    s.bind(("127.0.0.1", port))
    return s, "listen %son 127.0.0.1 port %d" % (
        "udp " if kind == socket.SOCK_DGRAM else "", port)


def test_a_listener_that_was_shut_down_before_it_was_inherited():
    tcp, conf = inherited(socket.SOCK_STREAM)
    tcp.listen(100)
    tcp.shutdown(socket.SHUT_RD)
    with Activated([tcp], conf=conf, listen=False) as b:
        b.wait_line("127.0.0.1:%d: the service manager's socket does not "
            "listen any more; mended$" % tcp.getsockname()[1])
        for node in range(1, 9):
            login(b, node).close()


def test_with_a_udp_socket_that_was_shut_down_none_starts():
    udp, conf = inherited(socket.SOCK_DGRAM)
    shut_all(udp, None)
    b = Activated([udp], conf=conf, listen=False, workers=1)
    try:
        b.launch()
        assert b.proc.wait(20) == 1
        b.wait_line(r"beacond\.conf:\d+: cannot listen on 127\.0\.0\.1:%d: .*"
            "restart its socket unit$" % udp.getsockname()[1])
    finally:
        b.clean_up()


def test_a_further_port_that_was_shut_down_is_left_out():
    udp, conf = inherited(socket.SOCK_DGRAM)
    further, _ = inherited(socket.SOCK_DGRAM)
    shut_all(further, None)
    with Activated([udp, further], conf=conf, listen=False, workers=1) as b:
        b.wait_line("further port of the service manager: .*shutdown$")
        idle(b, [0])


# Ways out

def reset(client):
    """Ends it as one does who wants nothing more of it."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
        struct.pack("ii", 1, 0))
    client.close()


def test_no_socket_can_be_connected():
    """MSG_FASTOPEN asks neither connect(2) nor Landlock.

    It needs a stream socket that is not connected.  There is none: neither
    the listener, nor a connection, nor one that is no more, nor any other.
    """
    with Scene(Seized, first_worker(3), udp=True, security=SIGSYS) as b, \
            socket.create_server(("127.0.0.1", 0)) as target:
        port = target.getsockname()[1]
        dial_out(b, "shutdown", socket.SHUT_RD, port=port)
        dial_out(b, "connect", bytes(16), 16, port=port)
        assert not select.select([target], [], [], 0.1)[0], "a way out"
        taken = b.taken()
        clients = []

        def three():
            """Connects somebody until the worker has got so many."""
            clients.append(Client(b.port))
            clients[-1].send(b"GET")
            return list(taken.sockets().values()).count((False, b.port)) > 2
        wait_for(three)
        for client in clients[::2]:
            reset(client)
        for fd in taken.sockets():
            try_to_connect(taken, fd, address(port))
        for fd in range(8):
            try_to_connect(taken, fd, address(port))
        assert not select.select([target], [], [], 0.1)[0], "a way out"
        for client in clients[1::2]:
            client.close()
        everybody_gets_in(b)


def dial_out(b, *undo, port):
    """By way of the listener, once that is none any more."""
    taken = b.taken()
    listener = taken.socket(True, b.port)
    try:
        taken.call(undo[0], listener, *undo[1:])
        try_to_connect(taken, listener, address(port))
    except Died:
        b.wait_new("worker", taken.pid)


def try_to_connect(taken, fd, there):
    """With each call, first after an attempt to dissolve what there is."""
    for name in bytes(16), there:
        for flags in MSG_FASTOPEN, MSG_FASTOPEN | socket.MSG_DONTWAIT:
            taken.call("sendto", fd, b"out", 3, flags, name, len(name))
            taken.call("sendmsg", fd, taken.message(b"out", name), flags)
            taken.call("sendmmsg", fd, taken.message(b"out", name), 1, flags)


# New connections

def test_a_worker_that_reports_no_load_draws_no_more_than_its_share():
    nodes = range(1, 121)
    with Seized(first_worker(), nodes=nodes) as b:
        b.taken().be_greedy()
        clients = [login(b, node) for node in nodes]
        where = [p["worker"] for p in b.peers()]
        for client in clients:
            client.close()
        assert min(map(where.count, (0, 1))) >= 30, where
        assert b.children()[2]["load"] == 0


# Auth's word

def second_auth(role, number, epoch):
    return role == "auth" and epoch == 2


def revoke(session):
    return message(P.AP_REVOKE, struct.pack("=II", session["node"],
        session["generation"]))


def test_auth_ends_no_session_without_new_keys():
    with Scene(Staged, second_auth, roles=("auth",),
            security="killed$") as b:
        b.kill("auth")
        puppet = b.puppet("auth", epoch=2)
        puppet.raw(b"".join(map(revoke, b.peers())))
        wait_killed(b, "auth", puppet, "revocation without new keys")
        b.wait_new("auth", puppet.pid)
        everybody_gets_in(b)


def test_auth_ends_a_session_once():
    """With keys that are read anew it ends those of before, and no other."""
    with Staged(second_auth, ("auth",), security="killed$") as b:
        client = login(b, 1)
        before = b.peer(1)
        b.kill("auth")
        puppet = b.puppet("auth", epoch=2)
        puppet.raw(KEYS_READ + revoke(before))
        client.expect_close(1008)
        client.close()
        # As if it had come back, and then that one.
        puppet.raw(admit(worker=before["worker"], node=1) +
            revoke(dict(before, generation=before["generation"] + 1)))
        wait_killed(b, "auth", puppet, "revocation without new keys")
        b.wait_new("auth", puppet.pid)
        everybody_gets_in(b)


def test_auth_that_has_workers_killed_without_end():
    """Some complaints may be just; if there are too many it is auth."""
    with Scene(Staged, second_auth, roles=("auth",),
            security="killed$") as b:
        b.kill("auth")
        puppet = b.puppet("auth", epoch=2)
        deaths = 0
        while not puppet.ended:
            worker = b.children()[2]
            if worker["state"] == "running":
                deaths = worker["restarts"]
                try:
                    puppet.raw(complaint(worker=0, epoch=deaths + 1))
                except BrokenPipeError:     # it was the one too many
                    break
            assert deaths < 6, "without end"
            time.sleep(0.01)
        wait_killed(b, "auth", puppet, "complaints without end")
        b.wait_new("auth", puppet.pid)
        wait_for(lambda: b.children()[2]["state"] == "running")
        everybody_gets_in(b)


# Standard error

FORGED = b"beacond: security: all is well\n\x1b[2J\x07\n\0\xff\n"


class Journal(Seized):
    """The daemon's standard error is a socket, as under a service manager."""

    def launch(self, *args):
        ours, theirs = socket.socketpair()
        with theirs:
            self.lines = []
            self.eof = False
            self.proc = subprocess.Popen(
                self.command("-d", "-f", self.conf_path, *args),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=theirs, env=self.environment())
        self.proc.stderr = ours.makefile("rb")
        ours.close()
        self.reader = threading.Thread(target=self.read, daemon=True,
            args=(self.proc, self.lines))
        self.reader.start()


def test_standard_error_is_not_a_childs():
    """Neither to forge a line, nor for its terminal, nor to be silenced."""
    with Journal(lambda role, number, epoch: epoch == 1 and number == 0,
            ("worker", "auth"), security="all is well$|" + SIGSYS) as b:
        for role, name in ("worker", r"worker\[0\]"), ("auth", "auth"):
            taken = b.taken(role)
            after = len(b.lines)
            assert taken.call("write", 2, FORGED, len(FORGED)) == len(FORGED)
            b.wait_line("^%s: beacond: security: all is well$" % name)
            b.wait_line(r"^%s: \\033\[2J\\007$" % name, after=after)
            b.wait_line(r"^%s: \\000\\377$" % name, after=after)
            taken.dies("shutdown", 2, socket.SHUT_RDWR)
            b.wait_line(r"security: %s \(pid %d\) %s" % (name, taken.pid,
                SIGSYS))
            b.wait_new(role, taken.pid)
        assert all(line.isascii() and line.isprintable() for line in b.lines)


def test_last_words_of_libc_are_heard():
    with Seized(first_worker(), security="SIGABRT") as b:
        taken = b.taken()
        taken.free_twice()
        b.wait_line(r"^worker\[0\]: free\(\): double free detected")
        b.wait_line(r"security: worker\[0\] \(pid %d\) died of SIGABRT$" %
            taken.pid)
        b.wait_new("worker", taken.pid)


def test_a_flood_on_standard_error_costs_a_number():
    with Scene(Seized, first_worker()) as b:
        taken = b.taken()
        line = b"x\n" * 16384
        start = time.monotonic()
        for _ in range(20):
            taken.call("write", 2, line, len(line))
        wait_for(lambda: b.metric("log_muted") > 10000)
        seconds = time.monotonic() - start + 2
        said = sum(line == "worker[0]: x" for line in b.lines)
        assert 0 < said <= 500 * seconds, "%d in %g s" % (said, seconds)

