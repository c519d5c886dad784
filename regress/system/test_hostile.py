# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Whoever has taken over a worker or auth gets nothing by what he says.

Each attack is made in the place of a real child (puppet.py), while two peers
talk over workers that are not his.  A violation costs him that child, by name
and with the reason, and nobody else anything.
"""

import errno
import fcntl
import mmap
import os
import re
import select
import socket
import struct
import threading
import time

import keys
from beacon import alive, limit, wait_for
from client import Client, login, pair_on_workers
from puppet import P, Staged, Steering, message, signature
from test_failures import Chat

LOCALHOST = bytes(10) + b"\xff\xff" + socket.inet_aton("127.0.0.1")
STRANGER = bytes(10) + b"\xff\xff" + socket.inet_aton("192.0.2.1")
GARBAGE = 0xffffffff
MALFORMED = "malformed message"
UNKNOWN = "message of unknown type"
WRONG_SIZE = "message of wrong size"
OUT_OF_TURN = "message out of turn"
# Depends on what the kernel told of it first.
DESCRIPTOR = MALFORMED, "unreadable message"

FOREIGN = 0xfffe        # a message that no channel knows

# What harmless messages are followed by: it shows that they were taken.
FENCE = message(FOREIGN)


def closed(node, generation):
    return message(P.WP_CLOSED, struct.pack("=II", node, generation))


def endpoint(node, flags=0, addr=LOCALHOST, port=9, answer=0):
    return message(P.WP_ENDPOINT, struct.pack("=II16s16xII", node, flags, addr,
        port, answer))


def sync(ids=(), count=None, addr=STRANGER, port=4001, first=1, last=1):
    count = len(ids) if count is None else count
    return message(P.WP_SYNC, struct.pack("=16s16xIHHIIII%dI" % len(ids),
        addr, 0, port, count, 1, 0, first, last, *ids))


def admit(worker=1, epoch=1, slot=0, serial=0, node=5, pad=0):
    return message(P.AP_ADMIT, struct.pack("=IIIIIIQ", worker, epoch, slot,
        serial, node, pad, 0))


def complaint(worker=1, epoch=1, reason=b"no\0"):
    return message(P.AP_HOSTILE, struct.pack("=II64s", worker, epoch,
        reason))


KEYS_READ = message(P.AP_KEYS, struct.pack("=III", 0, GARBAGE, GARBAGE))


def stat(request, *rows, count=None):
    """Of rows (known, port)."""
    count = len(rows) if count is None else count
    return message(P.WP_STAT, struct.pack("=II", request, count) + b"".join(
        struct.pack("=II16sQQQQII", known, port, STRANGER, 1, 1, 1, 1, GARBAGE,
            0) for known, port in rows))


def ready(ticket, mask, slot=0):
    """Sessions that another worker had have come."""
    return message(P.WP_MOVE_READY, struct.pack("=QQI64I4x", mask, 0, ticket,
        slot, *[0] * 63))


STAT_SIZE = "stat of wrong size"


def one_byte_off(kind, size, why=WRONG_SIZE):
    return [(message(kind, bytes(n)), why)
        for n in (size - 1, size + 1)]


# (bytes on the channel to the parent, why the child is killed)

BAD_HEADERS = [
    (message(P.WP_PONG, length=0), MALFORMED),
    (message(P.WP_PONG, length=15), MALFORMED),
    (message(P.WP_CLOSED, length=16), WRONG_SIZE),
    (message(P.WP_PONG, length=16385), MALFORMED),
    (message(P.WP_PONG, length=0x7fffffff), MALFORMED),
    (message(P.WP_PONG, length=0xffffffff), MALFORMED),
    (message(P.WP_PONG, bytes(16368)), WRONG_SIZE),
    (message(P.WP_PONG, mark=True), MALFORMED),
    (message(P.WP_READY, mark=True, data=bytes(28)), MALFORMED),
]

FORGED_TYPES = [
    (message(0), UNKNOWN),
    (message(GARBAGE), UNKNOWN),
    (message(P.PW_OPEN, struct.pack("=IIII", 0, 1, 5, 1)), UNKNOWN),
    (message(P.PW_CLOSE, struct.pack("=III", 0, 1, P.CLOSE_REVOKED)),
        UNKNOWN),
    (message(P.PW_SHUTDOWN), UNKNOWN),
    (admit(), UNKNOWN),
    (message(P.AP_REVOKE, struct.pack("=II", 1, 1)), UNKNOWN),
    (complaint(), UNKNOWN),
    (message(P.WA_VERIFY, bytes(88)), UNKNOWN),
    (message(P.CTL_STOP), UNKNOWN),
]

WRONG_SIZES = (one_byte_off(P.WP_CLOSED, 8) + one_byte_off(P.WP_STAT, 72, STAT_SIZE) +
    one_byte_off(P.WP_ENDPOINT, 48) + one_byte_off(P.WP_READY, 28) +
    one_byte_off(P.WP_MOVE_READY, 280) + one_byte_off(P.WP_MOVE_DONE, 4) + [
    (message(P.WP_SYNC, bytes(55)), WRONG_SIZE),
    (message(P.WP_SYNC, bytes(56 + 4 * P.PROTO_SYNC_CHUNK + 1)), WRONG_SIZE),
    (message(P.WP_STAT, bytes(7)), WRONG_SIZE),
    (message(P.WP_STAT, bytes(8 + 64 * P.PROTO_STAT_MAX + 1)), WRONG_SIZE),
    (message(P.WP_PONG, bytes(1)), WRONG_SIZE),
])

WRONG_VALUES = [
    (closed(0, 1), "end of no session"),
    (ready(1, 1, 1 << 30), "session in no place"),
    (closed(5, 0), "end of no session"),
    (endpoint(0), "endpoint of nobody or nowhere"),
    (endpoint(5, port=0), "endpoint of nobody or nowhere"),
    (endpoint(5, port=70000), "endpoint of nobody or nowhere"),
    (endpoint(5, port=GARBAGE), "endpoint of nobody or nowhere"),
    (endpoint(5, flags=256), "endpoint with unknown flags"),
    (endpoint(5, flags=GARBAGE), "endpoint with unknown flags"),
    (endpoint(5, answer=2), "endpoint with unknown flags"),
    (stat(1, (1, 9), count=2), STAT_SIZE),
    (stat(1, count=GARBAGE), STAT_SIZE),
    (stat(1, (2, 9)), "stat with impossible values"),
    (stat(1, (1, 65536)), "stat with impossible values"),
]

WRONG_SYNCS = [
    (sync([1, 2], count=1), "sync of wrong size"),
    (sync(count=1), "sync of wrong size"),
    (sync([1], count=65535), "sync of wrong size"),
    (sync([1], port=0), "sync from nowhere"),
    (sync([1], first=0), "sync without a beginning"),
    (sync([1], last=0) + sync([1], first=0, port=4002),
        "sync without a beginning"),
    (sync([1], last=0) + sync([1], first=0, addr=LOCALHOST),
        "sync without a beginning"),
    (sync([1]) + sync([1], first=0), "sync without a beginning"),
    (sync(range(2048), last=0) + 8 * sync(range(2048), first=0, last=0),
        "sync too long"),
]


def security_lines(beacon):
    return [line for line in beacon.lines if "security:" in line]


def wait_killed(beacon, who, puppet, reason, bound=10.0):
    """The puppet is killed for that reason (or one of some), and gone."""
    line = beacon.wait_line(r"security: %s \(pid %d\): " % (re.escape(who),
        puppet.pid), bound)
    reasons = (reason,) if isinstance(reason, str) else reason
    assert line in ["beacond: security: %s (pid %d): %s: killed" % (who,
        puppet.pid, why) for why in reasons], "%s, not %s" % (line, reasons)
    wait_for(lambda: not alive(puppet.pid), bound)


def restarts(beacon):
    """Of auth, then of each worker."""
    return [c["restarts"] for c in beacon.children() if c["role"] != "parent"]


class Theatre:
    """with Theatre(2) as (b, puppets): workers 0 and 1 are puppets.

    Two more workers are real.  Two peers talk through them from beginning to
    end, and nothing that happens meanwhile may reach them.
    """

    def __init__(self, count, roles=("worker",), **how):
        def places(role, number, epoch):
            return role == "worker" and number < count and epoch == 1
        self.count = count
        conf = how.pop("conf", "") + "\nsource packet limit 0"
        self.beacon = Staged(how.pop("places", places), roles, conf=conf,
            workers=count + 2, security=how.pop("security", "killed$"), **how)

    def __enter__(self):
        b = self.beacon.__enter__()
        try:
            puppets = [b.puppet(number=n) for n in range(self.count)]
            self.one, self.two, self.rest = pair_on_workers(b, True)
            self.before = {p["node"]: p for p in b.peers()}
            self.pids = [b.pid_of("worker", n)
                for n in (self.count, self.count + 1)]
            self.chat = Chat(self.one, self.two)
            self.chat.start()
            wait_for(lambda: self.chat.count > 10)
        except BaseException as why:
            b.__exit__(type(why), why, None)
            raise
        return b, puppets

    def __exit__(self, kind, value, trace):
        b = self.beacon
        try:
            if kind is None:
                self.check()
        except BaseException as why:
            kind, value = type(why), why
            raise
        finally:
            for client in [self.one, self.two] + self.rest:
                client.close()
            b.__exit__(kind, value, trace)

    def check(self):
        """Nobody else has noticed."""
        b = self.beacon
        before = self.chat.count
        wait_for(lambda: self.chat.count > before + 50 or self.chat.error)
        self.chat.stop()
        now = {p["node"]: p for p in b.peers()}
        assert {n: now.get(n) for n in self.before} == self.before, now
        assert self.pids == [b.pid_of("worker", n)
            for n in (self.count, self.count + 1)]
        for client in self.rest:
            client.in_step()


def attack_parent(acts):
    """Each act by a worker of its own."""
    with Theatre(len(acts)) as (b, puppets):
        for puppet, (data, _) in zip(puppets, acts):
            puppet.raw(data)
        for puppet, (_, reason) in zip(puppets, acts):
            wait_killed(b, "worker[%d]" % puppet.number, puppet, reason)
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)
        assert len(security_lines(b)) == len(acts), security_lines(b)
        assert restarts(b) == [0] + [1] * len(acts) + [0, 0], restarts(b)


def leave(b, *puppets, new=True):
    """Ends what was no violation by one, so that all end alike."""
    for puppet in puppets:
        puppet.raw(FENCE)
        wait_killed(b, "worker[%d]" % puppet.number, puppet, UNKNOWN)
        if new:
            b.wait_new("worker", puppet.pid, puppet.number)


# A worker against the parent

def test_bad_headers():
    attack_parent(BAD_HEADERS)


def test_forged_types():
    attack_parent(FORGED_TYPES)


def test_wrong_sizes():
    attack_parent(WRONG_SIZES)


def test_wrong_values():
    attack_parent(WRONG_VALUES)


def test_wrong_syncs():
    attack_parent(WRONG_SYNCS)


def test_end_of_anothers_session():
    with Theatre(1) as (b, (puppet,)):
        victim = b.ctl("show", "peer", 1)
        puppet.raw(closed(1, victim["generation"]))
        wait_killed(b, "worker[0]", puppet, "end of another worker's session")
        b.wait_new("worker", puppet.pid, 0)


def test_what_is_not_so_changes_nothing():
    """No violation: an honest worker may say it, too late."""
    with Theatre(1) as (b, (puppet,)):
        generation = b.ctl("show", "peer", 1)["generation"]
        stranger = b.metric("sync_refused", reason="stranger")
        puppet.raw(b"".join([
            closed(1, generation - 1 or GARBAGE),
            closed(1, generation + 1),
            closed(1, GARBAGE),
            closed(4444, 1),
            closed(GARBAGE, GARBAGE),
            endpoint(1, port=4),
            sync(range(1, 100)),
            b"".join(stat(request, (1, 9))
                for request in [*range(100), GARBAGE]),
        ]))
        puppet.raw(endpoint(5555, port=7) + endpoint(5555, port=8) + FENCE)
        wait_killed(b, "worker[0]", puppet, UNKNOWN)
        assert b.metric("sync_refused", reason="stranger") == stranger + 1
        # Nobody is led away, nor at once.
        assert b.ctl("show", "node", 1)["udp"] is None
        address = b.ctl("show", "node", 5555)["udp"]["address"]
        assert address.endswith(":7"), address
        assert b.ctl("show", "beacons") == []
        b.wait_new("worker", puppet.pid, 0)


def test_endpoint_by_a_listener_that_there_is_not():
    """Another worker finds that number in the map, and sends all the same."""
    with Theatre(1, udp=True) as (b, (puppet,)), \
            Steering(puppet).socket_of([0]) as node:
        puppet.raw(endpoint(5555, flags=255, port=node.getsockname()[1]))
        wait_for(lambda: b.ctl("show", "node", 5555)["udp"])
        with login(b, 30) as client:
            client.send_to(5555, b"payload")
            got, _ = node.recvfrom(100)
            assert got == struct.pack(">BII", 9, 30, 5555) + b"payload", got
        leave(b, puppet)


def test_ready_more_than_once_or_as_another():
    """The second life of each place lies about who it is."""
    lies = [({"version": b"9.9"},
            "program of another version; install all of them"),
        ({"version": b"x" * 16},
            "program of another version; install all of them"),
        ({"layout": 1},
            "program of another version; install all of them"),
        ({"worker": 1}, "confused about who it is"),
        ({"worker": GARBAGE}, "confused about who it is"),
        ({"epoch": 1}, "confused about who it is"),
        ({"epoch": 3}, "confused about who it is"),
        (None, OUT_OF_TURN)]

    class Liars(Staged):
        def rehearse(self, role, puppet):
            puppet.greets = puppet.epoch == 1

    theatre = Theatre(len(lies))
    theatre.beacon.places = lambda role, number, epoch: \
        number < len(lies) and epoch <= 2
    theatre.beacon.rehearse = Liars.rehearse.__get__(theatre.beacon)
    with theatre as (b, puppets):
        for puppet in puppets:
            puppet.ready(P.WP_READY)
            wait_killed(b, "worker[%d]" % puppet.number, puppet, OUT_OF_TURN)
        for number, (lie, reason) in enumerate(lies):
            puppet = b.puppet(number=number, epoch=2)
            if lie is None:
                puppet.raw(closed(1, 1))
            else:
                puppet.ready(P.WP_READY, **lie)
            wait_killed(b, "worker[%d]" % number, puppet, reason)
            b.wait_new("worker", puppet.pid, number)
        assert restarts(b) == [0] + [2] * len(lies) + [0, 0], restarts(b)


class Gift:
    """A descriptor to send, of which one can see whether anybody kept it."""

    def __init__(self):
        self.other, self.fd = os.pipe()

    def check_nobody_has_it(self):
        os.close(self.fd)
        ready, _, _ = select.select([self.other], [], [], 5)
        assert ready, "somebody has it still"
        assert os.read(self.other, 1) == b""
        os.close(self.other)


def test_descriptors_where_none_belong():
    """Neither the parent nor auth gets one, whatever the header says."""
    with Theatre(4) as (b, puppets):
        gift = Gift()
        fds = [gift.fd]
        puppets[0].raw(message(P.WP_PONG, mark=True), fds)
        puppets[1].raw(message(P.WP_PONG, mark=True), fds * 200)
        wait_killed(b, "worker[0]", puppets[0], DESCRIPTOR)
        wait_killed(b, "worker[1]", puppets[1], DESCRIPTOR)
        ask = message(P.WA_NONCES, struct.pack("=I", 1))
        for channel, data in ((puppets[2].channel, message(P.WP_PONG)),
                (puppets[3].auth, ask)):
            try:
                for _ in range(20):
                    channel.raw(data, fds * 200)
                channel.raw(FENCE)
            except OSError:
                pass
        for puppet in puppets[2:]:
            b.wait_line(r"security: worker\[%d\]" % puppet.number)
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)
        gift.check_nobody_has_it()


@limit(90)
def test_floods():
    floods = [message(P.WP_PONG), closed(4444, 1),
        stat(4444), endpoint(5555)]
    with Theatre(len(floods)) as (b, puppets):
        for puppet, data in zip(puppets, floods):
            puppet.channel.flood(data * 10000)
            wait_killed(b, "worker[%d]" % puppet.number, puppet,
                "flood of messages", 20)
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)


def has_session(puppet, node):
    """Auth and the parent take it that the node has logged in to it."""
    number, (nonce,) = puppet.nonces()
    now = int(time.time())
    puppet.verify(number, node, now, signature(node, nonce, now))
    puppet.wait_message(P.PW_OPEN)


def test_worker_that_tells_nothing_about_its_sessions():
    """The list waits for it once, and has the others' sessions all the same."""
    with Theatre(1) as (b, (puppet,)):
        has_session(puppet, 20)
        begin = time.monotonic()
        rows = {row["node"]: row for row in b.ctl("show", "peers")}
        assert 1.5 < time.monotonic() - begin < 6
        assert rows[20]["worker"] == 0 and rows[20]["bytes_in"] is None
        assert rows[20]["address"] is None
        assert all(row["address"] and row["bytes_in"] for row in rows.values()
            if row["node"] != 20)
        leave(b, puppet)


def test_worker_that_tells_about_other_sessions_than_asked():
    with Theatre(1) as (b, (puppet,)):
        has_session(puppet, 20)
        asking = threading.Thread(target=b.ctl, args=("show", "peers"))
        asking.start()
        request, count = struct.unpack("=II",
            puppet.wait_message(P.PW_STAT)[:8])
        assert count == 1
        puppet.raw(stat(request, (1, 9), (1, 9)))
        wait_killed(b, "worker[0]", puppet,
            "stat of other sessions than asked for")
        asking.join()
        b.wait_new("worker", puppet.pid, 0)


def test_worker_that_does_not_read_is_killed_when_its_queue_is_full():
    exempt = "\n".join("punch exempt 10.%d.%d.0/24" % (i // 250, i % 250)
        for i in range(1000))
    with Theatre(1, conf=exempt) as (b, (puppet,)):
        puppet.reads = False
        for _ in range(400):
            # Alive, for all that pings tell.
            try:
                puppet.send(P.WP_PONG)
            except BrokenPipeError:
                break
            b.ctl("reload")
        wait_killed(b, "worker[0]", puppet, "does not read")
        b.wait_new("worker", puppet.pid, 0)


def refusal(errors, function, *args):
    try:
        function(*args)
    except OSError as why:
        assert why.errno in errors, why
    else:
        raise AssertionError("%s %s was possible" % (function, args))


def test_the_peer_map_cannot_be_written():
    """Not even by one whom the kernel lets do all the rest."""
    refused = {errno.EPERM, errno.EACCES, errno.EBADF, errno.EINVAL}
    size = os.sysconf("SC_PAGESIZE")
    with Theatre(1) as (b, (puppet,)):
        fd, = puppet.fds[P.PW_MAP]
        fds = [fd]
        try:
            fds.append(os.open("/proc/self/fd/%d" % fd, os.O_RDWR))
        except OSError:
            pass
        for f in fds:
            refusal(refused, mmap.mmap, f, size, mmap.MAP_SHARED,
                mmap.PROT_READ | mmap.PROT_WRITE)
            refusal(refused, os.pwrite, f, b"x", 4096)
            refusal(refused, os.ftruncate, f, 0)
            refusal(refused, os.posix_fallocate, f, 0, 1 << 30)
            refusal(refused, fcntl.fcntl, f, fcntl.F_ADD_SEALS, 0)
            assert fcntl.fcntl(f, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SEAL
        for f in fds[1:]:
            os.close(f)
        leave(b, puppet)


def test_counters_that_lie():
    """Numbers are all that is wrong, and logins go on."""
    for lie, load in ((b"\xff", GARBAGE - 1), (b"\0", 0)):
        with Theatre(2, nodes=range(1, 61)) as (b, puppets):
            for puppet in puppets:
                fd, = puppet.fds[P.PW_COUNTERS]
                with mmap.mmap(fd, 4096) as page:
                    page[:] = lie * 4096
                refusal({errno.EPERM}, os.ftruncate, fd, 0)
            assert [c["load"] for c in b.children()[2:4]] == [load] * 2
            clients = [login(b, node) for node in range(40, 60)]
            b.metrics()
            for client in clients:
                client.close()
            leave(b, *puppets)


def test_log_that_lies():
    with Theatre(1) as (b, (puppet,)):
        puppet.log.send(b"2\nbeacond: security: \x1b[2Jall is well\0\xff")
        puppet.log.send(b"\xff" * 1024)
        puppet.log.send(b"4the end")
        b.wait_line(r"worker\[0\]: the end$")
        said = [line for line in b.lines if "all is well" in line]
        assert len(said) == 1, said
        assert re.match(r"(beacond: )?worker\[0\]: \\012beacond: "
            r"security: \\033\[2Jall is well\\000\\377$", said[0]), said
        assert all(line.isascii() and line.isprintable()
            for line in b.lines), b.lines
        b.security = "killed$|all is well"
        # Once it has said nothing, it is not listened to any more.
        puppet.log.send(b"")
        leave(b, puppet)


# A worker against auth

AUTH_VIOLATIONS = [
    (message(FOREIGN), UNKNOWN),
    (admit(), UNKNOWN),
    (message(P.AW_REFUSED, bytes(12)), UNKNOWN),
    (message(P.AP_READY, bytes(32)), UNKNOWN),
    (message(P.WA_NONCES, length=0), MALFORMED),
    (message(P.WA_NONCES, length=15), MALFORMED),
    (message(P.WA_NONCES, length=16), WRONG_SIZE),
    (message(P.WA_NONCES, length=0x7fffffff), MALFORMED),
    (message(P.WA_NONCES, bytes(4), mark=True), MALFORMED),
    (message(P.WA_NONCES, struct.pack("=I", 0)),
        "number of nonces out of range"),
    (message(P.WA_NONCES, struct.pack("=I", 65)),
        "number of nonces out of range"),
    (message(P.WA_NONCES, struct.pack("=I", GARBAGE)),
        "number of nonces out of range"),
] + [(message(kind, bytes(n)), WRONG_SIZE)
    for kind, size in (("WA_NONCES", 4), ("WA_VERIFY", 88),
        ("WA_FIRST_KEY", 36), ("WA_GRANT", 88))
    for kind, n in ((getattr(P, kind), size - 1), (getattr(P, kind),
        size + 1))]


def test_violations_against_auth():
    acts = AUTH_VIOLATIONS
    with Theatre(len(acts)) as (b, puppets):
        for puppet, (data, _) in zip(puppets, acts):
            puppet.auth.raw(data)
        for puppet, (_, reason) in zip(puppets, acts):
            wait_killed(b, "worker[%d]" % puppet.number, puppet,
                "auth says: " + reason)
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)
        assert len(security_lines(b)) == len(acts), security_lines(b)
        assert restarts(b) == [0] + [1] * len(acts) + [0, 0], restarts(b)


def test_floods_of_auth():
    """Of one who reads the answers, and of one who does not."""
    ask = message(P.WA_NONCES, struct.pack("=I", P.PROTO_NONCES_MAX))
    with Theatre(2) as (b, (reader, deaf)):
        deaf.auth.flood(ask * 1000)
        wait_killed(b, "worker[1]", deaf,
            "auth says: does not read its answers")
        asks_and_reads(reader.auth, ask)
        wait_killed(b, "worker[0]", reader,
            "auth says: asks for nonces without end")
        with login(b, 30) as client:
            client.in_step()
        for puppet in (reader, deaf):
            b.wait_new("worker", puppet.pid, puppet.number)


def drain(channel):
    try:
        while channel.sock.recv(1 << 20):
            pass
    except OSError:
        pass


def asks_and_reads(channel, ask, at_once=200):
    """As fast as it is answered, until the other end has enough."""
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end:
            channel.raw(ask * at_once)
            for _ in range(at_once):
                channel.receive()
    except OSError:
        return
    raise AssertionError("still answered")


class Thief:
    """Attempts of one worker to be admitted as the node of another."""

    def __init__(self, puppet, victim):
        self.puppet = puppet
        self.victim = victim
        self.first, self.nonces = puppet.nonces(P.PROTO_NONCES_MAX)
        self.used = 0
        self.tries = 0

    def next(self):
        """A nonce of his own that was not used: (number, bytes)."""
        self.used += 1
        return self.first + self.used - 1, self.nonces[self.used - 1]

    def refused(self, number, sig, node=None, ts=None):
        node = self.victim if node is None else node
        ts = int(time.time()) if ts is None else ts
        self.tries += 1
        self.puppet.verify(number, node, ts, sig, self.tries, self.tries)
        got = self.puppet.refused()
        assert got == (self.tries, self.tries), got


def test_no_claim_without_the_nodes_own_fresh_signature():
    with Theatre(2) as (b, (puppet, other)):
        thief = Thief(puppet, 1)
        now = int(time.time())
        # None at all.
        thief.refused(thief.next()[0], bytes(64))
        thief.refused(thief.next()[0], b"\xff" * 64)
        # Somebody else's.
        number, nonce = thief.next()
        thief.refused(number, signature(1, nonce, now, signer=2), ts=now)
        # The thief's own, for a node that is his, is none for another.
        number, nonce = thief.next()
        thief.refused(number, signature(9, nonce, now, signer=9), ts=now)
        # The victim's, for a nonce that another worker was given.
        first, foreign = other.nonces(P.PROTO_NONCES_MAX)
        assert not set(foreign) & set(thief.nonces)
        thief.refused(first + 40, signature(1, foreign[40], now), ts=now)
        # The victim's, for what a real worker has just asked it.
        with Client(b.port) as client:
            client.upgrade()
            challenge = client.challenge()
            sig = signature(1, bytes.fromhex(challenge["nonce"]),
                challenge["ts"])
            for number in range(thief.first + 50, thief.first + 60):
                thief.refused(number, sig, ts=challenge["ts"])
        # The victim's, for a nonce that nobody was given.
        for number in (thief.first + 64, thief.first - 1, 0x80000000):
            thief.refused(number & GARBAGE, signature(1, bytes(32), now),
                ts=now)
        # The victim's, from another time.
        for ts in (0, now - 60, now + 60, (1 << 64) - 1):
            number, nonce = thief.next()
            thief.refused(number, signature(1, nonce, ts), ts=ts)
        # Of a node that nobody knows, or that is none.
        for node in (4444, 0, GARBAGE):
            number, nonce = thief.next()
            thief.refused(number, signature(node, nonce, now), node, now)
        assert not security_lines(b)
        leave(b, puppet, other)


def test_no_claim_with_a_signature_used_before():
    def places(role, number, epoch):
        return number == 0 and epoch <= 2 or number == 1 and epoch == 1
    with Theatre(2, places=places) as (b, (puppet, other)):
        thief = Thief(puppet, 20)
        now = int(time.time())
        number, nonce = thief.next()
        sig = signature(20, nonce, now)
        # Once it is good; where the session is, the worker alone knows.
        puppet.verify(number, 20, now, sig, GARBAGE, GARBAGE)
        slot, serial, node, generation = struct.unpack("=IIII",
            puppet.wait_message(P.PW_OPEN))
        assert (slot, serial, node) == (GARBAGE, GARBAGE, 20)
        assert b.peer(20)["worker"] == 0
        for _ in range(3):
            thief.refused(number, sig, ts=now)
        puppet.raw(closed(20, generation))
        wait_for(lambda: b.peer(20) is None)
        for offset in (0, 1, 64, 1 << 16):
            thief.refused((number + offset) & GARBAGE, sig, ts=now)
        # Nor with another worker's, or the predecessor's, that was not used.
        number, nonce = thief.next()
        unused = signature(20, nonce, now)
        Thief(other, 20).refused(number, unused, ts=now)
        leave(b, puppet, new=False)
        heir = b.puppet(epoch=2)
        Thief(heir, 20).refused(number, unused, ts=now)
        assert b.peer(20) is None
        leave(b, heir, other)


def test_what_means_nothing_to_auth_changes_nothing():
    with Theatre(1) as (b, (puppet,)):
        thief = Thief(puppet, 1)
        now = int(time.time())
        # The key that counts is there already.
        key = keys.pair(9)[0]
        for node in (1, 0, 4444, GARBAGE):
            puppet.auth.send(P.WA_FIRST_KEY, struct.pack("=I32s", node, key))
        for node in (1, 4444):
            number, nonce = thief.next()
            thief.refused(number, signature(node, nonce, now, signer=9), node,
                now)
        # Only the target's own word lets anybody punch.
        for target, expiry, pad in ((1, now + 60, 0), (1, 0, 0), (0, now, 0),
                (1, (1 << 64) - 1, GARBAGE), (5555, now + 60, 0)):
            text = b"punch-grant:2:%d:%d" % (target, expiry)
            for sig in (bytes(64), b"\xff" * 64, keys.sign(9, text)):
                puppet.auth.send(P.WA_GRANT, struct.pack("=IIIIQ64s", GARBAGE,
                    2, target, pad, expiry, sig))
                assert puppet.auth.expect(P.AW_GRANTED) == \
                    struct.pack("=II", GARBAGE, 0)
        assert not security_lines(b)
        leave(b, puppet)


# A worker against another

LONGEST = 16 + 32768    # the largest delivery

def test_violations_against_a_sibling():
    """It closes that channel and goes on."""
    acts = [message(FOREIGN), message(P.WW_PACKET, length=0),
        message(P.WW_PACKET, length=15), message(P.WW_PACKET, length=LONGEST + 1),
        message(P.WW_PACKET, length=0x7fffffff),
        message(P.WW_PACKET, length=GARBAGE),
        message(P.WW_PACKET, mark=True), message(P.PW_SHUTDOWN)]
    with Theatre(len(acts)) as (b, puppets):
        real = [len(acts), len(acts) + 1]
        gift = Gift()
        for puppet, data in zip(puppets, acts):
            for number in real:
                channel = puppet.others[number]
                channel.raw(message(P.WW_PACKET, b"x"), [gift.fd] * 50)
                channel.raw(data)
                assert channel.sock.recv(1) == b""
            b.wait_line("worker %d broke the rules" % puppet.number)
        gift.check_nobody_has_it()
        assert not security_lines(b)
        leave(b, *puppets)


def test_sender_that_is_another_workers_is_not_believed():
    with Theatre(1) as (b, (puppet,)):
        refused = b.metric("drops", reason="sender")
        stale = b.metric("drops", reason="stale")
        for number in (1, 2):
            channel = puppet.others[number]
            for dest, sender in ((1, 2), (2, 1)):
                channel.send(P.WW_PACKET, b"forged", peerid=dest,
                    pid=sender)
            # A sender that is nowhere, a peer that is nowhere.
            channel.send(P.WW_PACKET, b"lost", peerid=GARBAGE, pid=4444)
            channel.send(P.WW_PACKET, b"lost")
        # Two, as each worker has heard of both peers.
        b.wait_metric(refused + 4, "drops", reason="sender")
        b.wait_metric(stale + 4, "drops", reason="stale")
        leave(b, puppet)


def test_worker_that_does_not_read_costs_its_siblings_nothing():
    """What is for the sessions that it claims to have is dropped."""
    with Theatre(1) as (b, (puppet,)):
        number, (nonce,) = puppet.nonces()
        now = int(time.time())
        puppet.verify(number, 20, now, signature(20, nonce, now))
        puppet.wait_message(P.PW_OPEN)
        with login(b, 30) as client:
            for _ in range(1000):
                client.send_to(20, bytes(30000))
            client.in_step()
        assert b.metric("drops", reason="worker_queue_full") > 0
        leave(b, puppet)


# Auth

def attack_as_auth(acts, greets=True):
    """Each act by an auth of its own, one after the other."""
    def places(role, number, epoch):
        return role == "auth" and 2 <= epoch < 2 + len(acts)
    theatre = Theatre(0, ("auth",), places=places)
    if not greets:
        theatre.beacon.rehearse = silence
    with theatre as (b, _):
        b.kill("auth")
        for epoch, (act, reason) in enumerate(acts, 2):
            puppet = b.puppet("auth", epoch=epoch)
            act(puppet) if callable(act) else puppet.raw(act)
            wait_killed(b, "auth", puppet, reason)
        b.wait_new("auth", puppet.pid)
        assert len(security_lines(b)) == len(acts), security_lines(b)
        assert restarts(b) == [len(acts) + 1, 0, 0], restarts(b)
        with login(b, 30) as client:
            client.in_step()


def silence(role, puppet):
    puppet.greets = False


def ready_as(**lie):
    return lambda puppet: puppet.ready(P.AP_READY, **lie)


def test_auth_that_admits_the_impossible():
    attack_as_auth([
        (admit(worker=2), "admission to no worker"),
        (admit(worker=GARBAGE), "admission to no worker"),
        (admit(epoch=2), "admission to a worker yet to come"),
        (admit(node=0), "admission of no node"),
        (admit(pad=1), "admission of no node"),
    ])


def test_auth_that_complains_of_the_impossible():
    attack_as_auth([
        (complaint(worker=2), "complaint about no worker"),
        (complaint(worker=GARBAGE), "complaint about no worker"),
        (complaint(epoch=2), "complaint about a worker yet to come"),
        (complaint(reason=b"x" * 64), MALFORMED),
        (complaint(epoch=0) + FENCE, UNKNOWN),
    ])


def test_auth_that_sends_what_is_not_its_own():
    attack_as_auth([
        (message(P.CTL_STOP), UNKNOWN),
        (closed(1, 1), UNKNOWN),
        (message(P.PW_OPEN, bytes(16)), UNKNOWN),
        (lambda p: p.raw(message(P.AP_PONG, mark=True),
            [p.channel.sock.fileno()] * 100), DESCRIPTOR),
        (ready_as(), OUT_OF_TURN),
        (2 * KEYS_READ, "keys that it was not given"),
    ])


def test_auth_with_bad_headers():
    attack_as_auth([
        (message(P.AP_PONG, length=0), MALFORMED),
        (message(P.AP_PONG, length=15), MALFORMED),
        (message(P.AP_ADMIT, length=16), WRONG_SIZE),
        (message(P.AP_PONG, length=0x7fffffff), MALFORMED),
        (message(P.AP_ADMIT, bytes(33)), WRONG_SIZE),
    ])


def test_auth_with_wrong_sizes():
    attack_as_auth([
        (message(P.AP_REVOKE, bytes(7)), WRONG_SIZE),
        (message(P.AP_KEYS, bytes(9)), WRONG_SIZE),
        (message(P.AP_HOSTILE, bytes(71)), WRONG_SIZE),
        (message(P.AP_PONG, bytes(1)), WRONG_SIZE),
        (message(P.AP_READY, bytes(31)), WRONG_SIZE),
    ])


def test_auth_that_is_another():
    attack_as_auth([
        (ready_as(version=b"9.9"),
            "program of another version; install all of them"),
        (ready_as(worker=1), "confused about who it is"),
        (ready_as(epoch=3), "confused about who it is"),
    ], greets=False)


@limit(90)
def test_floods_of_auths_own():
    attack_as_auth([(lambda p, data=data: p.channel.flood(data * 10000),
        "flood of messages") for data in (message(P.AP_PONG),
            admit(epoch=0), complaint(epoch=0),
            message(P.AP_REVOKE, struct.pack("=II", 4444, 1)))])


def test_what_auth_makes_up_changes_nothing():
    def places(role, number, epoch):
        return role == "auth" and epoch == 2
    with Theatre(0, ("auth",), places=places) as (b, _):
        generation = b.ctl("show", "peer", 1)["generation"]
        b.kill("auth")
        puppet = b.puppet("auth", epoch=2)
        puppet.raw(b"".join(message(P.AP_REVOKE, struct.pack("=II", *who))
            for who in ((1, generation + 1), (1, 0), (4444, 1), (0, 0),
                (GARBAGE, GARBAGE))))
        puppet.raw(KEYS_READ)
        # Sessions that no worker has: the worker says so.
        for n, slot in enumerate((0, 1, 1 << 20, GARBAGE)):
            puppet.raw(admit(0, 1, slot, GARBAGE, 20 + n) +
                admit(1, 1, slot, 0, 24 + n))
        puppet.raw(admit(epoch=0))
        wait_for(lambda: not any(20 <= p["node"] < 28 for p in b.peers()))
        puppet.raw(FENCE)
        wait_killed(b, "auth", puppet, UNKNOWN)
        b.wait_new("auth", puppet.pid)


def test_auth_against_workers():
    """They close that channel and go on."""
    nonces = struct.pack("=IIQ", 1, 1, 0)
    acts = [message(FOREIGN), message(P.AW_NONCES, length=0),
        message(P.AW_NONCES, length=15), message(P.AW_NONCES, nonces),
        message(P.AW_NONCES, length=0x7fffffff),
        message(P.AW_NONCES, struct.pack("=IIQ", 1, 2, 0) + bytes(32)),
        message(P.AW_NONCES, struct.pack("=IIQ", 1, 65, 0) + bytes(32)),
        message(P.AW_REFUSED, bytes(12), mark=True)]

    def places(role, number, epoch):
        return role == "auth" and 2 <= epoch <= 5
    with Theatre(0, ("auth",), places=places) as (b, _):
        b.kill("auth")
        for epoch in range(2, 6):
            puppet = b.puppet("auth", epoch=epoch)
            for number in range(2):
                channel = puppet.others[number]
                # What it was not asked for, of what it does not know.
                for slot in (0, 1, 1 << 20, GARBAGE):
                    channel.send(P.AW_REFUSED, struct.pack("=III", slot, 1, 1))
                    channel.send(P.AW_GRANTED, struct.pack("=II", slot, 1))
                channel.raw(acts.pop())
                drain(channel)
            puppet.raw(FENCE)
            wait_killed(b, "auth", puppet, UNKNOWN)
        b.wait_new("auth", puppet.pid)
        with login(b, 30) as client:
            client.in_step()


@limit(90)
def test_child_that_answers_no_ping_is_killed():
    """A worker and auth at once, as it takes ten seconds."""
    def places(role, number, epoch):
        return (role, number, epoch) in (("worker", 0, 1), ("auth", 0, 2))
    with Theatre(1, ("worker", "auth"), places=places) as (b, (puppet,)):
        b.kill("auth")
        auth = b.puppet("auth", epoch=2)
        puppet.answers = auth.answers = False
        start = time.monotonic()
        for who, one in (("worker[0]", puppet), ("auth", auth)):
            wait_killed(b, who, one, "hung", 20)
        assert 7 < time.monotonic() - start < 15
        b.wait_new("worker", puppet.pid, 0)
        b.wait_new("auth", auth.pid)
