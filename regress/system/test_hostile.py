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
import socket
import struct
import time

import keys
from beacon import alive, limit, wait_for, write
from client import Client, login, pair_on_workers
from puppet import P, Staged, message, signature
from test_failures import Chat

LOCALHOST = bytes(10) + b"\xff\xff" + socket.inet_aton("127.0.0.1")
STRANGER = bytes(10) + b"\xff\xff" + socket.inet_aton("192.0.2.1")
GARBAGE = 0xffffffff
MALFORMED = "malformed message"
UNKNOWN = "message of unknown type"
WRONG_SIZE = "message of wrong size"
OUT_OF_TURN = "message out of turn"

# What harmless messages are followed by: it shows that they were taken.
FENCE = message(0xfffe)


def closed(node, generation):
    return message(P.WP_CLOSED, struct.pack("=II", node, generation))


def endpoint(node, flags=0, addr=LOCALHOST, port=9):
    return message(P.WP_ENDPOINT, struct.pack("=II16sI", node, flags, addr,
        port))


def sync(ids=(), count=None, addr=STRANGER, port=4001, first=1, last=1):
    count = len(ids) if count is None else count
    return message(P.WP_SYNC, struct.pack("=16sHHIIII%dI" % len(ids), addr,
        port, count, 1, 0, first, last, *ids))


def admit(worker=1, epoch=1, slot=0, serial=0, node=5, pad=0):
    return message(P.AP_ADMIT, struct.pack("=IIIIIIQ", worker, epoch, slot,
        serial, node, pad, 0))


def complaint(worker=1, epoch=1, reason=b"no\0"):
    return message(P.AP_HOSTILE, struct.pack("=II64s", worker, epoch,
        reason))


def one_byte_off(kind, size):
    return [(message(kind, bytes(n)), WRONG_SIZE)
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
    (message(P.WP_READY, mark=True, data=bytes(32)), MALFORMED),
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

WRONG_SIZES = (one_byte_off(P.WP_CLOSED, 8) + one_byte_off(P.WP_STAT, 48) +
    one_byte_off(P.WP_ENDPOINT, 28) + one_byte_off(P.WP_READY, 32) + [
    (message(P.WP_SYNC, bytes(35)), WRONG_SIZE),
    (message(P.WP_SYNC, bytes(36 + 4 * P.PROTO_SYNC_CHUNK + 1)), WRONG_SIZE),
    (message(P.WP_PONG, bytes(1)), WRONG_SIZE),
])

WRONG_VALUES = [
    (closed(0, 1), "end of no session"),
    (closed(5, 0), "end of no session"),
    (endpoint(0), "endpoint of nobody or nowhere"),
    (endpoint(5, port=0), "endpoint of nobody or nowhere"),
    (endpoint(5, port=70000), "endpoint of nobody or nowhere"),
    (endpoint(5, port=GARBAGE), "endpoint of nobody or nowhere"),
    (endpoint(5, flags=256), "endpoint with unknown flags"),
    (endpoint(5, flags=GARBAGE), "endpoint with unknown flags"),
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
    """The puppet is killed for that reason, and gone."""
    line = beacon.wait_line(r"security: %s \(pid %d\): " % (re.escape(who),
        puppet.pid), bound)
    want = "beacond: security: %s (pid %d): %s: killed" % (who, puppet.pid,
        reason)
    assert line == want, "%s, not %s" % (line, want)
    wait_for(lambda: not alive(puppet.pid))


def restarts(beacon):
    """Of auth, then of each worker."""
    return [c["restarts"] for c in beacon.children() if c["role"] != "parent"]


class Theatre:
    """with Theatre(2) as (b, puppets): workers 0 and 1 are puppets.

    Two more workers are real.  Two peers talk through them from beginning to
    end, and nothing that happens meanwhile may reach them.
    """

    def __init__(self, count, roles=("worker",), chat=(1, 2), **how):
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
            b"".join(message(P.WP_STAT, struct.pack("=IIQQ16sII", request, 1,
                1, 1, STRANGER, GARBAGE, GARBAGE))
                for request in [*range(100), GARBAGE]),
        ]))
        puppet.raw(endpoint(5555, port=7) + endpoint(5555, port=8) + FENCE)
        wait_killed(b, "worker[0]", puppet, UNKNOWN)
        assert b.metric("sync_refused", reason="stranger") == stranger + 1
        # Nobody is led away, nor at once.
        node = b.ctl("show", "node", 1)
        assert "udp" not in node or not node["udp"], node
        assert ":7" in str(b.ctl("show", "node", 5555))
        assert b.ctl("show", "beacons") == []
        b.wait_new("worker", puppet.pid, 0)


def test_ready_more_than_once_or_as_another():
    """The second life of each place lies about who it is."""
    lies = [({"version": b"9.9"},
            "program of another version; install all of them"),
        ({"version": b"x" * 16},
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


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def test_descriptors_where_none_belong():
    """The parent gets none of them, whatever the header says of it."""
    with Theatre(3) as (b, puppets):
        before = descriptors(b.pid)
        fds = [puppets[0].channel.sock.fileno()]
        puppets[0].raw(message(P.WP_PONG, mark=True), fds)
        puppets[1].raw(message(P.WP_PONG, mark=True), fds * 200)
        wait_killed(b, "worker[0]", puppets[0], MALFORMED)
        wait_killed(b, "worker[1]", puppets[1], MALFORMED)
        for _ in range(20):
            puppets[2].raw(message(P.WP_PONG), fds * 200)
        puppets[2].raw(FENCE)
        b.wait_line(r"security: worker\[2\]")
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)
        wait_for(lambda: descriptors(b.pid) <= before, 3,
            "the parent to have no more descriptors than before")


@limit(90)
def test_floods():
    floods = [message(P.WP_PONG), closed(4444, 1),
        message(P.WP_STAT, bytes(48)), endpoint(5555)]
    with Theatre(len(floods)) as (b, puppets):
        for puppet, data in zip(puppets, floods):
            puppet.channel.flood(data * 10000)
            wait_killed(b, "worker[%d]" % puppet.number, puppet,
                "flood of messages", 20)
        for puppet in puppets:
            b.wait_new("worker", puppet.pid, puppet.number)


def test_worker_that_does_not_read_is_killed_when_its_queue_is_full():
    exempt = "\n".join("punch exempt 10.%d.%d.0/24" % (i // 250, i % 250)
        for i in range(1000))
    with Theatre(1, conf=exempt) as (b, (puppet,)):
        puppet.reads = False
        for _ in range(400):
            # Alive, for all that pings tell.
            puppet.send(P.WP_PONG)
            b.ctl("reload")
            if security_lines(b):
                break
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
        puppet.raw(FENCE)
        wait_killed(b, "worker[0]", puppet, UNKNOWN)
        b.wait_new("worker", puppet.pid, 0)


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
            for puppet in puppets:
                puppet.raw(FENCE)
                wait_killed(b, "worker[%d]" % puppet.number, puppet, UNKNOWN)
                b.wait_new("worker", puppet.pid, puppet.number)


def test_log_that_lies():
    with Theatre(1) as (b, (puppet,)):
        puppet.log.send(b"2\nbeacond: security: \x1b[2Jall is well\0\xff")
        puppet.log.send(b"")
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
        puppet.raw(FENCE)
        wait_killed(b, "worker[0]", puppet, UNKNOWN)
        b.wait_new("worker", puppet.pid, 0)


# A worker against auth

FOREIGN = 0xfffe        # a message that no channel knows

AUTH_VIOLATIONS = [
    (message(FOREIGN), UNKNOWN),
    (admit(), UNKNOWN),
    (message(P.AW_REFUSED, bytes(8)), UNKNOWN),
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
        threading.Thread(target=drain, args=(reader.auth,),
            daemon=True).start()
        reader.auth.flood(ask * 1000)
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


def leave(b, *puppets):
    """Ends what was no attack by one, so that all end alike."""
    for puppet in puppets:
        puppet.raw(FENCE)
        wait_killed(b, "worker[%d]" % puppet.number, puppet, UNKNOWN)
        b.wait_new("worker", puppet.pid, puppet.number)


def test_no_claim_with_a_signature_used_before():
    with Theatre(2) as (b, (puppet, heir)):
        thief = Thief(puppet, 20)
        now = int(time.time())
        number, nonce = thief.next()
        sig = signature(20, nonce, now)
        # Once it is good: this is what a client of his own sent.
        puppet.verify(number, 20, now, sig, 7, 8)
        slot, serial, node, generation = struct.unpack("=IIII",
            puppet.wait_message(P.PW_OPEN))
        assert (slot, serial, node) == (7, 8, 20)
        assert b.worker_of_session(20) == 0
        for _ in range(3):
            thief.refused(number, sig, ts=now)
        puppet.raw(closed(20, generation))
        wait_for(lambda: b.peer(20) is None)
        for offset in (0, 1, 64, 1 << 16):
            thief.refused((number + offset) & GARBAGE, sig, ts=now)
        # Neither in another worker's hands, nor in his successor's.
        Thief(heir, 20).refused(number, sig, ts=now)
        number, nonce = thief.next()
        unused = signature(20, nonce, now)
        leave(b, puppet)
        again = b.puppet(number=0, epoch=2) if b.places("worker", 0, 2) \
            else heir
        Thief(again, 20).refused(number, unused, ts=now)
        assert b.peer(20) is None
        leave(b, heir)
