# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A program in the place of beacond's relay, as beacond-frame(7) has it.

    import beacond_frame

    def on_frame(sender, frame):
        if not server.write_frame(dest, frame):
            ...                         # dest is not connected: by UDP, say

    server = beacond_frame.Server(beacond_frame.Config(
        router_socket="/run/beacond/router.sock", on_frame=on_frame))
    server.start()

Needs nothing but Python's standard library, 3.8 or later.

All methods may be called by any thread.  The functions of the Config are called
by one thread of the server's own, one after the other; what they take in time
all peers wait for, and after 10 seconds the beacon does without the program.
pub_key_lookup has threads of its own.

Which addresses are listened on, how long a login may take, after which silence
a peer is closed, how many peers there may be: that is the configuration of the
beacon (beacond.conf(5): listen on, auth timeout, idle timeout, max peers), and
not offered here.
"""

import array
import collections
import contextlib
import dataclasses
import ipaddress
import logging
import mmap
import os
import select
import socket
import stat
import struct
import threading
import time
import typing

NOT_CONNECTED, QUEUE_FULL, TOO_LARGE = 1, 2, 3  # reasons of on_refused
MAX_FRAME_SIZE = 65536                          # of a frame from a peer, at most

_VERSION = 1
_HELLO, _METRICS = 0xc00, 0xc01
_WELCOME, _ADDRESS, _NOT_WELCOME, _CHANNEL, _METRICS_ARE, _ATTACHED = range(
    0xd00, 0xd06)
_FRAME, _CAME, _GONE, _REFUSED, _JOINED, _LEFT = range(0xe00, 0xe06)
_WRITE, _CLOSE, _LEAVE = range(0xf00, 0xf03)

_HEADER = struct.Struct("=IIII")
_WITH_FD = 1 << 31
# The least and the most bytes of data of each type that the beacon sends.
_SIZES = {
    _WELCOME: (16, 16), _ADDRESS: (20, 20), _NOT_WELCOME: (4, 4),
    _CHANNEL: (0, 0), _METRICS_ARE: (64, 64), _ATTACHED: (0, 0),
    _FRAME: (0, MAX_FRAME_SIZE), _CAME: (0, 0), _GONE: (0, 0),
    _REFUSED: (1, MAX_FRAME_SIZE), _JOINED: (0, 0), _LEFT: (0, 0),
}
_WANT_FD = (_WELCOME, _CHANNEL)

_READ = 1 << 18             # bytes of one read: many frames
_QUEUE = 4 << 20            # bytes that may wait for a channel to take them
_WAIT = 10.0                # seconds for an answer of the beacon, or to leave
_LOOKS = 3                  # for where a node is, to send to it
_REPLACE = 15.0             # and for a channel in the place of one that ended

_log = logging.getLogger("beacond_frame")


class Error(Exception):
    """The beacon cannot be reached, refuses, or is gone."""


class LookupLater(Exception):
    """Raised by pub_key_lookup: nothing is known just now, ask again."""


@dataclasses.dataclass
class Config:
    # What "router socket" in beacond.conf(5) names.
    router_socket: str
    # on_frame(sender, frame): a binary message of a peer, whose node its worker
    # has verified.
    on_frame: typing.Callable
    # on_refused(dest, reason, frame): what write_frame() took cannot be
    # delivered after all: NOT_CONNECTED, QUEUE_FULL or TOO_LARGE.
    on_refused: typing.Optional[typing.Callable] = None
    # on_peer(node, generation, came): it has logged in, or (came false) its
    # session has ended.  Nothing is said of the sessions of a worker that died.
    on_peer: typing.Optional[typing.Callable] = None
    # on_error(error): the server has ended, but not by close().
    on_error: typing.Optional[typing.Callable] = None
    # pub_key_lookup(node): its Ed25519 key, 32 bytes, or None if there is no such
    # node; LookupLater if that is not known.  Within 3 s.
    pub_key_lookup: typing.Optional[typing.Callable] = None
    # Where the beacon asks for it: what "registry" in beacond.conf(5) names.
    key_socket: typing.Optional[str] = None


@dataclasses.dataclass
class Metrics:
    upgrade_ok: int = 0
    upgrade_fail: int = 0
    auth_ok: int = 0
    auth_fail: int = 0
    frames_in: int = 0
    frames_out: int = 0
    idle_disconns: int = 0
    active_peers: int = 0


class Server:
    def __init__(self, config):
        if not config.router_socket or config.on_frame is None:
            raise ValueError("router_socket and on_frame are required")
        if (config.pub_key_lookup is None) != (not config.key_socket):
            raise ValueError("pub_key_lookup and key_socket: both or neither")
        self._config = config
        self._lock = threading.Lock()           # channels, states, dirty
        self._control_lock = threading.RLock()  # who reads the socket
        self._asking = threading.Lock()         # one question at a time
        self._map = None
        self._control = None
        self._channels = {}                     # by the number of the worker
        self._by_fd = {}
        self._dirty = set()                     # something is to be written
        self._lost = {}                         # when which channel has ended
        self._addresses = []
        self._metrics = None
        self._last_metrics = Metrics()
        self._max_out = 0
        self._attached = False
        self._leaving = False
        self._leave_until = None
        self._keys = None
        self._thread = None

    # What the program calls.

    def start(self):
        """Attaches to the beacon.  Raises Error, or OSError."""
        if self._thread is not None or self._leaving:
            raise Error("it was started before, or closed")
        try:
            if self._config.key_socket:
                self._keys = KeySource(self._config.key_socket,
                    self._config.pub_key_lookup)
            self._attach()
        except BaseException:
            self._tear_down()
            raise
        self._thread = threading.Thread(target=self._run, daemon=True,
            name="beacond_frame")
        self._thread.start()

    def addr(self):
        """The first address where peers connect, "host:port"; "" before
        start()."""
        return self._addresses[0] if self._addresses else ""

    def write_frame(self, dest, frame):
        """Sends a binary message to a peer.  False: it is not connected, or more
        waits than may, or the frame is empty or too long.  Does not wait."""
        return (0 < len(frame) <= self._max_out and
            self._send_to(dest, _WRITE, frame))

    def is_connected(self, node):
        """From memory that the beacon shares: no message, O(1)."""
        return self._look(node) is not None

    def generation(self, node):
        """Of the session of a node that is connected, as on_peer has it; or 0."""
        entry = self._look(node)
        return entry[0] if entry is not None else 0

    def peer_count(self):
        peers = self._map
        return peers.count() if peers is not None else 0

    def close_peer(self, node, code=1000, reason=""):
        """Ends the session that the node has now.  False: it has none."""
        text = reason.encode()
        if not _is_close_code(code) or len(text) > 123 or b"\0" in text:
            raise ValueError("no such code, or the reason is too long")
        return self._send_to(node, _CLOSE, struct.pack("=I", code) + text)

    def metrics(self):
        """Asks the beacon.  The last answer, if it is gone."""
        with self._asking, self._control_lock:
            if self._control is None:
                return self._last_metrics
            try:
                self._metrics = None
                self._control.sock.sendall(_message(_METRICS))
                self._wait_control(lambda: self._metrics is not None)
                self._last_metrics = self._metrics
            except (Error, OSError):
                pass        # the thread of the server sees it, too
            return self._last_metrics

    def close(self):
        """Leaves in good order: what the beacon has given is dealt with, and what
        was written is handed over.  The sessions stay with the beacon."""
        self._leaving = True
        thread = self._thread
        if thread is None:
            self._tear_down()
        else:
            self._wake()
            if thread is not threading.current_thread():
                thread.join()

    # The socket.

    def _attach(self):
        self._epoll = select.epoll()
        self._waker = socket.socketpair()
        for end in self._waker:
            end.setblocking(False)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._control = _Stream(sock)
        self._addresses = []
        sock.settimeout(_WAIT)
        sock.connect(self._config.router_socket)
        try:
            sock.sendall(_message(_HELLO, data=struct.pack("=I", _VERSION)))
        except BrokenPipeError:
            pass            # it has said why, which is read now
        self._wait_control(lambda: self._attached)
        self._epoll.register(sock, select.EPOLLIN)
        self._epoll.register(self._waker[0], select.EPOLLIN)

    def _wait_control(self, done):
        """With the socket's lock, or before there is a thread."""
        end = time.monotonic() + _WAIT
        while not done():
            left = end - time.monotonic()
            poll = select.poll()
            poll.register(self._control.sock, select.POLLIN)
            if left <= 0 or not poll.poll(left * 1000):
                raise Error("the beacon does not answer")
            self._read_control()

    def _read_control(self):
        try:
            if not self._control.read():
                raise Error("the beacon is gone")
            for message in self._control.messages():
                self._said(*message)
            # What came with others is of the message that has begun, or of none.
            self._control.close_fds(but=bool(self._control.bytes))
        except Error:
            # Whichever thread meets it: that of the server is to see it.
            with contextlib.suppress(OSError):
                self._control.sock.shutdown(socket.SHUT_RDWR)
            raise

    def _said(self, kind, node, number, data, fd):
        if kind == _WELCOME:
            version, _, self._max_out, _ = struct.unpack("=IIII", data)
            try:
                self._map = _PeerMap(fd)
            finally:
                os.close(fd)
        elif kind == _NOT_WELCOME:
            reason, = struct.unpack("=I", data)
            raise Error({1: "the beacon speaks another version",
                2: "another program is there"}.get(reason, "refused"))
        elif kind == _ADDRESS:
            self._addresses.append(_address(data))
        elif kind == _CHANNEL:
            self._add_channel(node, fd)
        elif kind == _METRICS_ARE:
            self._metrics = Metrics(*struct.unpack("=8Q", data))
        elif kind == _ATTACHED:
            self._attached = True
        else:
            raise Error("the beacon breaks the rules: %#x" % kind)

    # The channels.

    def _add_channel(self, worker, fd):
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        channel = _Channel(sock, worker)
        with self._lock:
            old = self._channels.get(worker)
            if old is not None:
                self._drop(old)
            # Whoever finds it may want to know when it can be written to.
            self._epoll.register(sock, select.EPOLLIN)
            self._channels[worker] = channel
            self._by_fd[fd] = channel
            self._lost.pop(worker, None)
        if self._leave_until is not None:
            self._leave(channel)

    def _drop(self, channel):
        """With the lock."""
        if channel.open:
            channel.open = False
            del self._by_fd[channel.sock.fileno()]
            self._dirty.discard(channel)
            channel.sock.close()

    def _ended(self, channel):
        with self._lock:
            self._drop(channel)
            if self._channels.get(channel.worker) is channel:
                del self._channels[channel.worker]
                if not channel.left:
                    self._lost[channel.worker] = time.monotonic()

    def _look(self, node):
        """(generation, worker) of a node that is connected, or None."""
        peers = self._map
        return peers.look(node) if peers is not None else None

    def _reach(self, worker):
        """Its channel, or None.  The map may name a worker of which the beacon
        has just told us: that is read first, and a read ends behind a
        descriptor."""
        channel = self._channels.get(worker)
        if channel is not None and channel.takes:
            return channel
        with self._control_lock:
            try:
                while (self._channels.get(worker) is channel and
                        self._control is not None and self._control.waits()):
                    self._read_control()
            except (Error, OSError):
                pass        # the thread of the server sees it, too
        return self._channels.get(worker)

    def _again(self, worker, dest, frame):
        """That worker has refused it, as dest is not there.  True: it has moved,
        and the frame goes to where it is now."""
        entry = self._look(dest)
        return (entry is not None and entry[1] != worker and
            self.write_frame(dest, frame))

    def _send_to(self, node, kind, data):
        """False: it is not connected, or that channel takes no more.  If it has
        moved since we looked, we look again."""
        tried = None
        for _ in range(_LOOKS):
            entry = self._look(node)
            if entry is None or entry[1] == tried:
                return False
            generation, tried = entry
            if self._send(self._reach(tried), kind, node,
                    generation if kind == _CLOSE else 0, data):
                return True
        return False

    def _send(self, channel, kind, node, number, data):
        """False: the channel is None or takes no more, or too much waits."""
        with self._lock:
            if channel is None or not channel.open:
                return False
            # There is room for LEAVE always.
            full = channel.waits + len(data) > _QUEUE
            if kind != _LEAVE and (full or not channel.takes):
                return False
            channel.add(_message(kind, node, number, data))
            # What is blocked is written when the kernel takes more.
            news = not channel.blocked and channel not in self._dirty
            if news:
                self._dirty.add(channel)
        if news and threading.current_thread() is not self._thread:
            self._wake()
        return True

    def _wake(self):
        try:
            self._waker[1].send(b"x")
        except OSError:
            pass            # it is awake already, or has ended

    def _flush(self):
        """Everything that waits, in as few calls as there are channels."""
        while True:
            with self._lock:
                if not self._dirty:
                    return
                channel = self._dirty.pop()
            try:
                with self._lock:
                    blocked = channel.open and not channel.write()
                    if channel.open and blocked != channel.blocked:
                        channel.blocked = blocked
                        self._epoll.modify(channel.sock, select.EPOLLIN |
                            (select.EPOLLOUT if blocked else 0))
            except OSError:
                self._ended(channel)

    def _read_channel(self, channel):
        try:
            alive = channel.read()
        except OSError:
            if channel.open:        # there was nothing: a wakeup too many
                return
            alive = False           # another thread has met its successor
        came = channel.close_fds()      # also if it was dropped meanwhile
        try:
            for message in channel.messages():
                self._happened(channel, *message)
            if came:
                raise Error("no message of a channel has a descriptor")
        except Error as why:
            _log.error("worker %d: %s", channel.worker, why)
            alive = False
        if not alive:
            self._ended(channel)

    def _happened(self, channel, kind, node, number, data, _):
        config = self._config
        if kind == _FRAME:
            # Nothing is handed on of a session that another has replaced.
            if self.generation(node) in (0, number):
                self._call(config.on_frame, node, data)
        elif kind == _CAME or kind == _GONE:
            self._call(config.on_peer, node, number, kind == _CAME)
        elif kind == _REFUSED:
            if number != NOT_CONNECTED or not self._again(channel.worker, node,
                    data):
                self._call(config.on_refused, node, number, data)
        elif kind == _LEFT:
            # Unasked: the worker is about to end, and waits for what we wrote.
            if not channel.left and not self._leave_until:
                with self._lock:
                    channel.takes = False
                self._leave(channel)
            channel.left = True
        elif kind != _JOINED:
            raise Error("%#x is no message of a channel" % kind)

    @staticmethod
    def _call(function, *args):
        if function is None:
            return
        try:
            function(*args)
        except Exception:   # whatever it is: others need the thread
            _log.exception("%s failed", getattr(function, "__name__", ""))

    # The thread.

    def _run(self):
        why = None
        try:
            while not self._is_over():
                self._turn()
        except (Error, OSError) as error:
            why = error
        self._tear_down()
        if why is not None and not self._leaving:
            _log.error("%s", why)
            self._call(self._config.on_error, why)

    def _turn(self):
        busy = self._lost or self._leave_until is not None
        for fd, events in self._epoll.poll(0.1 if busy else None):
            if fd == self._waker[0].fileno():
                self._waker[0].recv(4096)
            elif fd == self._control.sock.fileno():
                with self._control_lock:
                    # Somebody who asked may have read it meanwhile.
                    if self._control.waits():
                        self._read_control()
            else:
                self._turn_channel(fd, events)
        self._flush()
        self._check_lost()

    def _turn_channel(self, fd, events):
        with self._lock:
            channel = self._by_fd.get(fd)
            if channel is not None and events & select.EPOLLOUT:
                self._dirty.add(channel)
        if channel is not None and events & ~select.EPOLLOUT:
            self._read_channel(channel)

    def _check_lost(self):
        now = time.monotonic()
        with self._lock:
            for worker, since in self._lost.items():
                if now - since > _REPLACE:
                    raise Error("the channel to worker %d has ended" % worker)

    def _is_over(self):
        """Leaves, once that is wanted; true when it is done."""
        if not self._leaving:
            return False
        if self._leave_until is None:
            self._leave_until = time.monotonic() + _WAIT
            with self._lock:
                channels = list(self._channels.values())
            for channel in channels:
                self._leave(channel)
        if time.monotonic() > self._leave_until:
            return True
        with self._lock:
            return all(channel.left and not channel.waits
                for channel in self._channels.values())

    def _leave(self, channel):
        self._send(channel, _LEAVE, 0, 0, b"")

    def _tear_down(self):
        """Channels first, then the socket, and nothing is connected."""
        with self._lock:
            for channel in list(self._channels.values()):
                self._drop(channel)
            self._channels = {}
        with self._control_lock:
            self._map = None
            if self._control is not None:
                self._control.close()
                self._control = None
                self._epoll.close()
                for end in self._waker:
                    end.close()
        if self._keys is not None:
            self._keys.close()
            self._keys = None


def _message(kind, node=0, number=0, data=b""):
    return b"".join((_HEADER.pack(kind, _HEADER.size + len(data), node,
        number), data))


def _address(data):
    address = ipaddress.IPv6Address(data[:16])
    port, = struct.unpack("=I", data[16:])
    if address.ipv4_mapped is not None:
        return "%s:%d" % (address.ipv4_mapped, port)
    return "[%s]:%d" % (address, port)


def _is_close_code(code):
    return (1000 <= code <= 1003 or 1007 <= code <= 1014 or
        3000 <= code <= 4999)


class _Stream:
    """What comes on a socket, as messages."""

    def __init__(self, sock):
        self.sock = sock
        self.bytes = b""
        self.fds = collections.deque()

    def close(self):
        self.sock.close()
        self.close_fds()

    def close_fds(self, but=0):
        """Those that came first, but so many.  True: there were any."""
        any_came = len(self.fds) > but
        while len(self.fds) > but:
            os.close(self.fds.popleft())
        return any_came

    def waits(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def read(self):
        """False at the end."""
        try:
            got, ancillary, _, _ = self.sock.recvmsg(_READ,
                socket.CMSG_SPACE(64 * 4), socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return False
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                self.fds.extend(fds)
        self.bytes += got
        return bool(got)

    def messages(self):
        """Yields (type, node, number, data, descriptor or None)."""
        data, at = self.bytes, 0
        try:
            while len(data) - at >= _HEADER.size:
                kind, length, node, number = _HEADER.unpack_from(data, at)
                marked, length = length & _WITH_FD, length & ~_WITH_FD
                least, most = _SIZES.get(kind, (1, 0))
                if not least <= length - _HEADER.size <= most or bool(
                        marked) != (kind in _WANT_FD):
                    raise Error("the beacon breaks the rules: %#x" % kind)
                if len(data) - at < length:
                    break
                if marked and not self.fds:
                    raise Error("a descriptor is missing")
                body = data[at + _HEADER.size:at + length]
                at += length
                yield (kind, node, number, body,
                    self.fds.popleft() if marked else None)
        finally:
            self.bytes = data[at:]


class _Channel(_Stream):
    """To one worker.  Read by the thread; the rest with the server's lock."""

    def __init__(self, sock, worker):
        super().__init__(sock)
        self.worker = worker
        self.open = True
        self.left = False           # the worker does without us, or ends
        self.takes = True           # WRITE and CLOSE
        self.blocked = False        # the kernel took less than there was
        self.waits = 0              # bytes to be written
        self.queue = []

    def add(self, message):
        self.queue.append(message)
        self.waits += len(message)

    def write(self):
        """All that waits, in one call; false if some of it still does."""
        if not self.waits:
            return True
        data = b"".join(self.queue)
        try:
            took = self.sock.send(data)
        except BlockingIOError:
            took = 0
        except (BrokenPipeError, ConnectionResetError):
            # The end is met by who reads, behind what was said before it.
            self.takes = False
            took = len(data)
        self.queue = [data[took:]]
        self.waits -= took
        return not self.waits


class _PeerMap:
    """Where each node is."""

    SIZE = 83894272
    MAGIC = 0x62656d32
    HALVES = (8192, 8396800)
    ENTRIES, ENTRY, MOST = 16785408, 64, 1048576

    def __init__(self, fd):
        self.map = mmap.mmap(fd, self.SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        magic, self.k0, k1 = struct.unpack_from("=I4xQQ", self.map)
        if magic != self.MAGIC:
            raise Error("the peer map has another layout")
        self.k1, self.odd = k1, k1 | 1
        self.barrier = threading.Lock()

    def count(self):
        return self.number(28)

    def number(self, at):
        return struct.unpack_from("=I", self.map, at)[0]

    def place(self, node):
        x = _fold((node ^ self.k0) * self.odd)
        return _fold((x ^ self.k1) * 0x9e3779b97f4a7c15) & 0xffffffff

    def look(self, node):
        """(generation, worker) if it is connected, or None."""
        if not 0 < node <= 0xffffffff:
            return None
        place = self.place(node)
        while True:
            index = self.number(24)
            entry = self.search(node, place, index)
            if entry is not None:
                return entry if entry[0] else None
            self.between()
            if self.number(24) == index:
                return None

    def search(self, node, place, index):
        half, mask = self.HALVES[index & 1], (1 << (index >> 1 & 31)) - 1
        for i in range(place, place + mask + 1):
            number = self.number(half + 4 * (i & mask))
            if number == 0:
                return None
            if number <= self.MOST:
                found, *entry = self.entry(self.ENTRIES +
                    self.ENTRY * (number - 1))
                if found == node:
                    return entry
        return None

    def entry(self, at):
        """[node, generation, worker], all of one moment."""
        while True:
            seq = self.number(at)
            if seq & 1 == 0:
                self.between()
                got = struct.unpack_from("=IIxxxxB", self.map, at + 4)
                self.between()
                if self.number(at) == seq:
                    return got

    def between(self):
        """What was read before, was read before; what is read after, after."""
        with self.barrier:
            pass


def _fold(product):
    return product >> 64 ^ product & 0xffffffffffffffff


class KeySource:
    """Answers the beacon's questions for keys, as beacond-keys(7) has it.

    The socket is everybody's to connect to who may search its directory, since
    the beacon has a user of its own; keys are public.  pub_key_lookup of a Config
    makes one; a program that is no router can have one by itself.
    """

    HELLO = b"PILT\1"
    HEARTBEAT, ALIVE, LOOKUP, KEY, ERROR = 0x01, 0x81, 0x02, 0x82, 0xff
    MOST = 8            # connections; one more is closed at once
    SILENCE = 150       # seconds; the beacon says something each 60
    REQUEST = 65536     # bytes

    def __init__(self, path, lookup):
        self._path = path
        self._lookup = lookup
        self._lock = threading.Lock()
        self._open = set()
        self._closed = False
        _clear(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o666)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self):
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for sock in [self._listener, *self._open]:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _accept(self):
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError as error:
                if self._closed:
                    return
                _log.error("key socket: %s", error)
                time.sleep(1)       # no descriptors: they may come back
                continue
            with self._lock:
                if self._closed or len(self._open) >= self.MOST:
                    sock.close()
                    continue
                self._open.add(sock)
                self._threads = [t for t in self._threads if t.is_alive()]
                thread = threading.Thread(target=self._serve, args=(sock,),
                    daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, sock):
        try:
            sock.settimeout(self.SILENCE)
            with sock.makefile("rb") as said:
                if said.read(len(self.HELLO)) == self.HELLO:
                    while self._serve_request(sock, said):
                        pass
        except (OSError, struct.error):
            pass            # the beacon comes again
        finally:
            with self._lock:
                self._open.discard(sock)
                sock.close()

    def _serve_request(self, sock, said):
        head = said.read(5)
        if len(head) < 5:
            return False
        length, kind = struct.unpack(">IB", head)
        if not 0 < length <= self.REQUEST:
            return False
        body = said.read(length - 1)
        if len(body) < length - 1:
            return False
        sock.sendall(self._answer(kind, body))
        return True

    def _answer(self, kind, body):
        if kind == self.HEARTBEAT:
            return self._frame(self.ALIVE)
        if kind != self.LOOKUP:
            return self._error("unknown type")
        node, = struct.unpack(">I", body)
        try:
            key = self._lookup(node)
        except Exception as why:    # whatever it is: the node may come later
            if not isinstance(why, LookupLater):
                _log.exception("pub_key_lookup failed")
            return self._error("node %d: ask later" % node)
        if key is None or len(key) != 32:
            return self._error("node %d: not found" % node)
        return self._frame(self.KEY, struct.pack(">I7xB32s5x", node, 32, key))

    @staticmethod
    def _frame(kind, body=b""):
        return struct.pack(">IB", 1 + len(body), kind) + body

    @classmethod
    def _error(cls, text):
        return cls._frame(cls.ERROR, struct.pack(">H", len(text)) +
            text.encode())


def _clear(path):
    """Takes away a socket at which nobody listens any more."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return          # bind() says what is wrong
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(path)
    except FileNotFoundError:
        pass
    except ConnectionRefusedError:
        os.unlink(path)
