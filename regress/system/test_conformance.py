# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The public Autobahn list of cases for servers, as far as it applies.

A packet to oneself is the echo.  Text is only ignored after the login, so that
a text case shows by the pong behind it that it was taken.  Sections 12 and 13
are about compression, which is never agreed on; sizes of section 9 are cut to
what a message may have.  Each case goes in one segment, frame by frame and,
where that is quick, octet by octet.
"""

import contextlib
import struct
import time

import pytest

from beacon import Beacon
from client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Ended,
    deliver, frame, header, login, relay)

MODES = ["one segment", "frames", "octets"]
MANY_OCTETS = 400       # more are not sent one by one
AT_ONCE = 0.2           # seconds: as both have closed
SOON = 1.5              # as we have, over what the peer did
DELIVERY = 32768        # largest message to a peer


class Wire:
    """The frames of one case, and what must come of them."""

    def __init__(self, node):
        self.node = node
        self.sent = []      # one frame each
        self.wanted = []    # what comes back, in order: (opcode, payload)
        self.code = None    # of the close frame after that
        self.both = False   # have closed

    def frame(self, opcode, payload=b"", **how):
        self.sent.append(frame(opcode, payload, **how))

    def ping(self, payload=b"ping", **how):
        self.frame(PING, payload, **how)
        self.wanted.append((PONG, payload))

    def message(self, kind, body, cuts=(), pings=()):
        """In frames that end at `cuts`; a ping behind those of `pings`."""
        data = relay(self.node, self.node, body) if kind == BINARY else body
        bounds = [0, *cuts, len(data)]
        for i, (start, end) in enumerate(zip(bounds, bounds[1:])):
            self.frame(CONTINUATION if i else kind, data[start:end],
                fin=i == len(cuts))
            if i in pings:
                self.ping(b"behind frame %d" % i)
        echo = deliver(self.node, body)
        if kind == BINARY and len(echo) <= DELIVERY:
            self.wanted.append((BINARY, echo))

    def ends(self, code, both=False):
        self.code, self.both = code, both

    def fails(self, code=1002):
        self.ends(code)

    def close(self, payload=b"", code=None, **how):
        """The client's close frame, and the code of the answer."""
        self.frame(CLOSE, payload, **how)
        self.ends(code or struct.unpack(">H", payload[:2] or b"\x03\xe8")[0],
            True)


# Name, and what puts the case on the wire.
CASES = {}


def case(name):
    def note(do):
        assert name not in CASES, name
        CASES[name] = do
        return do
    return note


def cases(name, rows, do):
    """do(wire, row) for each row, as name.1, name.2, ..."""
    for i, row in enumerate(rows, 1):
        case("%s.%d" % (name, i))(lambda wire, row=row: do(wire, row))


def body(size):
    return (b"*\xfe\x00\xff" * (size // 4 + 1))[:size]


# 1: framing

SIZES = (0, 125, 126, 127, 128, 32000, 65535, 65536)


def sized(wire, size, **how):
    """A message of that many octets; the echo is four shorter."""
    if size < 9:
        wire.frame(BINARY, b"x" * size)
    else:
        wire.message(BINARY, body(size - 9), **how)


cases("1.1", SIZES, lambda wire, size: wire.frame(TEXT, b"*" * size))
cases("1.2", SIZES, sized)

# 2: pings and pongs

cases("2.1-2.4", (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
    b"\xfe" * 125), lambda wire, payload: wire.ping(payload))


@case("2.5")
def ping_of_126(wire):
    wire.frame(PING, b"\xfe" * 126)
    wire.fails()


cases("2.7-2.8", (b"", b"unsolicited pong payload"),
    lambda wire, payload: wire.frame(PONG, payload))


@case("2.9")
def pong_and_ping(wire):
    wire.frame(PONG, b"unsolicited pong payload")
    wire.ping(b"ping payload")


@case("2.10-2.11")
def ten_pings(wire):
    for i in range(10):
        wire.ping(b"payload-%d" % i)


# 3: reserved bits

@case("3.1")
def reserved_bit_of_a_text(wire):
    wire.frame(TEXT, b"Hello, world!", rsv=1)
    wire.fails()


def message_then(wire, broken):
    """A good message, a bad frame, and a ping that nobody answers."""
    wire.message(BINARY, b"Hello, world!")
    wire.frame(broken["opcode"], broken.get("payload", b""),
        rsv=broken.get("rsv", 0))
    wire.frame(PING)
    wire.fails()


cases("3.2-3.7", (dict(opcode=TEXT, rsv=2), dict(opcode=TEXT, rsv=3),
    dict(opcode=TEXT, rsv=4), dict(opcode=BINARY, rsv=5),
    dict(opcode=PING, rsv=6), dict(opcode=CLOSE, rsv=7)), message_then)

# 4: opcodes that mean nothing

for number, opcodes in ("4.1", (3, 4, 5, 6, 7)), ("4.2", (11, 12, 13, 14, 15)):
    cases(number, [dict(opcode=opcode, payload=payload)
        for opcode in opcodes for payload in (b"", b"reserved opcode")],
        message_then)

# 5: fragments

for opcode in (PING, PONG):
    @case("5.1" if opcode == PING else "5.2")
    def control_frame_in_fragments(wire, opcode=opcode):
        wire.frame(opcode, b"fragment1", fin=False)
        wire.frame(CONTINUATION, b"fragment2")
        wire.fails()

for kind, name in (TEXT, "text"), (BINARY, "binary"):
    @case("5.3-5.5 " + name)
    def two_fragments(wire, kind=kind):
        wire.message(kind, b"fragment1fragment2", cuts=[9])

    @case("5.6-5.8 " + name)
    def ping_between_fragments(wire, kind=kind):
        wire.message(kind, b"fragment1fragment2", cuts=[9], pings=[0])

    @case("5.18 " + name)
    def message_within_a_message(wire, kind=kind):
        wire.frame(kind, b"fragment1", fin=False)
        wire.frame(kind, b"fragment2")
        wire.fails()

    @case("5.19-5.20 " + name)
    def five_fragments_and_two_pings(wire, kind=kind):
        wire.message(kind, b"12345" * 9, cuts=[9, 18, 27, 36], pings=[1, 3])


def nothing_to_continue(wire, fins):
    for fin in fins:
        wire.frame(CONTINUATION, b"non-continuation payload", fin=fin)
        wire.message(BINARY, b"Hello, world!")
    wire.wanted.clear()
    wire.fails()


cases("5.9-5.14", ([True], [False]), nothing_to_continue)


@case("5.15")
def message_and_nothing_to_continue(wire):
    wire.message(BINARY, b"fragment1fragment2", cuts=[9])
    wire.frame(CONTINUATION, b"fragment3", fin=False)
    wire.frame(BINARY, relay(wire.node, wire.node, b"fragment4"))
    wire.fails()


cases("5.16-5.17", ([False, False], [True, True]), nothing_to_continue)

# 6: UTF-8

KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
EDITED = KOSME + b"\xed\xa0\x80edited"


def octets(text):
    return bytes.fromhex(text)


def non_characters():
    """The last two of each plane, and those of the first."""
    for plane in range(17):
        for last in (0xfffe, 0xffff):
            yield chr(plane << 16 | last).encode()


VALID = {
    "6.1": [b""],
    "6.2": [b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1"
        b"-UTF-8!!", KOSME],
    "6.5": ["\u20ac".encode(), b"a\x00b", "\U0001f600 \u00e9".encode()],
    "6.6": [KOSME[:n] for n in (2, 5, 7, 9, 11)],
    "6.7": [octets("00"), octets("c280"), octets("e0a080"),
        octets("f0908080")],
    "6.9": [octets("7f"), octets("dfbf"), octets("efbfbf"),
        octets("f48fbfbf")],
    "6.11": [octets("ed9fbf"), octets("ee8080"), octets("efbfbd"),
        octets("f48fbfbf")],
    "6.22": list(non_characters()),
    "6.23": [chr(c).encode() for c in range(0xfff9, 0x10000)],
}

INVALID = {
    "6.3": [EDITED],
    "6.6": [KOSME[:n] for n in (1, 3, 4, 6, 8, 10)],
    "6.8": [octets("f888808080"), octets("fc8480808080")],
    "6.10": [octets("f7bfbfbf"), octets("fbbfbfbfbf"),
        octets("fdbfbfbfbfbf")],
    "6.11": [octets("f4908080")],
    "6.12": [b"\x80", b"\xbf", *(b"\x80\xbf" * n for n in (1, 2, 3)),
        b"\x80\xbf\x80", b"\x80\xbf\x80\xbf\x80", bytes(range(0x80, 0xc0))],
    "6.13": [b"".join(bytes([c, 0x20]) for c in range(*span)) for span in
        ((0xc0, 0xe0), (0xe0, 0xf0), (0xf0, 0xf8), (0xf8, 0xfc),
            (0xfc, 0xfe))],
    "6.14": [octets(text) for text in ("c0", "e080", "f08080", "f8808080",
        "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")],
    "6.15": [octets("c0e080f08080f8808080fc80808080dfefbff7bfbf"
        "fbbfbfbffdbfbfbfbf")],
    "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    "6.17": [octets(text) for text in ("c0af", "e080af", "f08080af",
        "f8808080af", "fc80808080af")],
    "6.18": [octets(text) for text in ("c1bf", "e09fbf", "f08fbfbf",
        "f887bfbfbf", "fc83bfbfbfbf")],
    "6.19": [octets(text) for text in ("c080", "e08080", "f0808080",
        "f880808080", "fc8080808080")],
    "6.20": [octets("ed" + text) for text in ("a080", "adbf", "ae80", "afbf",
        "b080", "be80", "bfbf")],
    "6.21": [octets("ed" + high + "ed" + low) for high in ("a080", "adbf",
        "ae80", "afbf") for low in ("b080", "bfbf")],
}


def text(wire, data):
    wire.message(TEXT, data)


def text_by_octets(wire, data):
    wire.message(TEXT, data, cuts=range(1, len(data)))


def invalid(put):
    def do(wire, data):
        put(wire, data)
        wire.fails(1007)
    return do


for number, texts in VALID.items():
    cases(number + " valid", texts, text)
    cases(number + " valid, in fragments", [t for t in texts if len(t) > 1],
        text_by_octets)
for number, texts in INVALID.items():
    cases(number + " invalid", texts, invalid(text))
    cases(number + " invalid, in fragments",
        [t for t in texts if len(t) > 1], invalid(text_by_octets))
cases("6.1 in fragments", (b"", b"middle frame payload"),
    lambda wire, data: wire.message(TEXT, data, cuts=[0, len(data)]))

# 7: closing


@case("7.1.1")
def message_and_close(wire):
    wire.message(BINARY, b"Hello, world!")
    wire.close(b"\x03\xe8")


@case("7.1.2")
def two_close_frames(wire):
    wire.close(b"\x03\xe8")
    wire.frame(CLOSE, b"\x03\xe8")


@case("7.1.3")
def ping_after_close(wire):
    wire.close(b"\x03\xe8")
    wire.frame(PING)


@case("7.1.4")
def message_after_close(wire):
    wire.close(b"\x03\xe8")
    wire.frame(BINARY, relay(wire.node, wire.node, b"after"))


@case("7.1.5")
def close_between_fragments(wire):
    packet = relay(wire.node, wire.node, b"fragment1fragment2")
    wire.frame(BINARY, packet[:18], fin=False)
    wire.close(b"\x03\xe8")
    wire.frame(CONTINUATION, packet[18:])


@case("7.1.6")
def long_message_and_close(wire):
    wire.message(BINARY, body(30000))
    wire.close(b"\x03\xe8")
    wire.frame(PING)


def closes(wire, payload):
    wire.close(payload)


def closes_badly(wire, payload):
    wire.close(payload, 1002)


def with_code(code, reason=b""):
    return struct.pack(">H", code) + reason


cases("7.3 valid", (b"", with_code(1000), with_code(1000, b"Hello World!"),
    with_code(1000, b"*" * 123), with_code(1000, KOSME)), closes)
cases("7.3.2", [b"\x03"], closes_badly)


@case("7.3.6")
def reason_of_124(wire):
    wire.frame(CLOSE, with_code(1000, b"*" * 124))
    wire.fails()


cases("7.5", [with_code(1000, EDITED), with_code(1000, KOSME[:1])],
    closes_badly)
cases("7.7", [with_code(code, reason) for code in (1000, 1001, 1002, 1003,
    1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for reason in (b"", b"good code")], closes)
cases("7.9", [with_code(code, reason) for code in (0, 999, 1004, 1005, 1006,
    1016, 1100, 2000, 2999) for reason in (b"", b"bad code")], closes_badly)
cases("7.13", [with_code(code) for code in (5000, 65535)], closes_badly)

# 9: sizes, in fragments and in pieces, and one after the other


@case("9.1-9.2, too much")
def too_big(wire):
    wire.sent.append(header(BINARY, 65537, mask=b"mask"))
    wire.fails(1009)


def fragments(size):
    def do(wire, kind):
        wire.message(kind, b"*" * 32000, cuts=range(size, 32000, size))
    return do


for size in (64, 256, 1024, 4096, 16384):
    cases("9.3-9.4, fragments of %d" % size, (TEXT, BINARY), fragments(size))
cases("9.7-9.8", (16, 64, 256, 1024, 4096, 16384), lambda wire, size:
    [sized(wire, size) for _ in range(20)])

# 10: fragments of one size, and a rest

cases("10.1", (TEXT, BINARY), fragments(1300))


# Running them

def select(condition):
    """The wires of those cases, for nodes from 1 on."""
    found = {}
    for name, do in CASES.items():
        wire = Wire(len(found) % 200 + 1)
        do(wire)
        if condition(wire):
            found[name] = wire
    assert found
    return found


def is_quick(wire, mode):
    return mode != "octets" or sum(map(len, wire.sent)) <= MANY_OCTETS


def send(client, wire, mode):
    """Returns the longest time between two sends.

    A peer that says nothing for a while after its violation is cut off.
    """
    longest, last = 0, time.monotonic()
    try:
        pieces = wire.sent
        if mode == "octets":
            pieces = [bytes([octet]) for octet in b"".join(wire.sent)]
        elif mode == "one segment":
            pieces = [b"".join(wire.sent)]
        for piece in pieces:
            client.send(piece)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
    except OSError:
        assert wire.both or longest > AT_ONCE, "ended meanwhile"
    return longest


def check_replies(client, wire, name):
    """What comes back, but that a pong may overtake a message."""
    got = [client.next() for _ in wire.wanted]
    for opcode in (PONG, BINARY):
        want = [data for kind, data in wire.wanted if kind == opcode]
        assert [data for kind, data in got if kind == opcode] == want, (name,
            [(kind, data[:40]) for kind, data in got])
    for i, (kind, _) in enumerate(wire.wanted):
        if kind == BINARY:
            before = got[:got.index(wire.wanted[i])]
            assert all(reply in before for reply in wire.wanted[:i]
                if reply[0] == PONG), name


def check_close(client, wire, name):
    data = client.expect(CLOSE)
    assert struct.unpack(">H", data[:2])[0] == wire.code, (name, data)


def ended(client, reset=False):
    """The end of TCP, in good order, and nothing before it."""
    try:
        got = client.next()
    except Ended as why:
        assert str(why) == "end of file" or reset, why
    else:
        raise AssertionError("then came %r" % (got,))


@pytest.mark.parametrize("mode", MODES)
def test_cases_that_stay_open(mode):
    """All on one connection: nothing of one is left to the next."""
    found = select(lambda wire: wire.code is None and is_quick(wire, mode))
    texts = 0
    with Beacon() as b, login(b, 1) as client:
        for name in found:
            wire = Wire(1)
            CASES[name](wire)
            wire.ping(name.encode())
            send(client, wire, mode)
            check_replies(client, wire, name)
            texts += sum(sent[0] & 15 == TEXT for sent in wire.sent)
        assert b.metric("text_ignored") == texts
        assert b.metric("protocol_errors") == b.metric("too_big") == 0


def batches(found, size=60):
    found = list(found.items())
    return [found[i:i + size] for i in range(0, len(found), size)]


@pytest.mark.parametrize("mode", MODES)
def test_cases_that_fail(mode):
    """The code; nothing else then, whatever the client says; TCP ends soon.

    As section 7.1.7 has it: the client's close frame is not waited for.
    """
    found = select(lambda wire: wire.code is not None and not wire.both and
        is_quick(wire, mode))
    with Beacon(nodes=range(1, 201)) as b:
        for batch in batches(found):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(login(b, wire.node))
                    for _, wire in batch]
                start = time.monotonic()
                gaps = [send(client, wire, mode)
                    for client, (_, wire) in zip(clients, batch)]
                for client, (name, wire) in zip(clients, batch):
                    check_replies(client, wire, name)
                    check_close(client, wire, name)
                spent = time.monotonic() - start
                for client, gap in zip(clients, gaps):
                    ended(client, gap > AT_ONCE)
                took = time.monotonic() - start - spent
                assert took < SOON, took
        count = sum(b.metric(name) for name in ("protocol_errors", "too_big"))
        assert count == len(found), (count, len(found))


@pytest.mark.parametrize("mode", MODES)
def test_cases_that_close(mode):
    """The code; nothing else then; TCP ends at once, as both have closed."""
    found = select(lambda wire: wire.both and is_quick(wire, mode))
    with Beacon(nodes=range(1, 201)) as b:
        for name, wire in found.items():
            took = [close_once(b, name, wire, mode)]
            while min(took) > AT_ONCE and len(took) < 5:
                took.append(close_once(b, name, wire, mode))
            assert min(took) <= AT_ONCE, (name, took)


def close_once(b, name, wire, mode):
    """Returns the time from the close frame to the end."""
    with login(b, wire.node) as client:
        send(client, wire, mode)
        check_replies(client, wire, name)
        check_close(client, wire, name)
        start = time.monotonic()
        # What follows its close frame may find nobody to read it.
        first = [sent[0] & 15 for sent in wire.sent].index(CLOSE)
        ended(client, reset=first < len(wire.sent) - 1)
        return time.monotonic() - start


GOOD, BAD, REST = KOSME, octets("f490"), octets("8080656469746564")


def test_6_4_text_fails_before_its_end():
    """The rest is not waited for: of the message, of the frame."""
    with Beacon() as b, login(b, 1) as one, login(b, 2) as two:
        one.send(frame(TEXT, GOOD, fin=False))
        one.in_step()
        one.send(frame(CONTINUATION, BAD + REST[:2], fin=False))
        one.expect_close(1007)
        whole = frame(TEXT, GOOD + BAD + REST)
        two.send(whole[:6 + len(GOOD)])
        two.send(whole[6 + len(GOOD):6 + len(GOOD + BAD)])
        two.expect_close(1007)


def test_9_5_and_9_6_messages_in_pieces():
    with Beacon() as b, login(b, 1) as client:
        for size in (64, 128, 256, 512, 1024, 2048):
            for kind in (TEXT, BINARY):
                wire = Wire(1)
                wire.message(kind, b"*" * 32000)
                wire.ping()
                data = b"".join(wire.sent)
                for i in range(0, len(data), size):
                    client.send(data[i:i + size])
                check_replies(client, wire, kind)


def test_1_1_8_and_1_2_8_the_largest_message_in_pieces():
    with Beacon() as b, login(b, 1) as client:
        for kind in (TEXT, BINARY):
            wire = Wire(1)
            wire.message(kind, b"*" * (65536 if kind == TEXT else 65527))
            wire.ping()
            data = b"".join(wire.sent)
            for i in range(0, len(data), 997):
                client.send(data[i:i + 997])
            check_replies(client, wire, kind)
