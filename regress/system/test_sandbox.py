# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What the processes of a running daemon may still do."""

import collections
import os
import pwd
import re
import signal
import traceback

from beacon import IS_ROOT, USER, Beacon, limit
from client import login, pair_on_workers, relay
from udp import Udp

UNIX_TYPES = {"0001": "stream", "0002": "datagram", "0005": "seqpacket"}

# How malloc gets and returns its memory decides which calls it makes.
MALLOC = [
    {"MALLOC_PERTURB_": "165"},
    {"MALLOC_ARENA_MAX": "1", "MALLOC_TOP_PAD_": "0"},
    {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"},
    {"GLIBC_TUNABLES": "glibc.malloc.mxfast=0:glibc.malloc.perturb=90"},
    {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4096"},
    {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0"},
    {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"},
    {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"},
]


# What the parent needs to make children of other users, if it was root:
# CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_CHROOT.
PARENT_CAPABILITIES = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 18


class Tuned(Beacon):
    """With more in its environment, which the children get too."""

    def __init__(self, env, **how):
        self.env = env
        super().__init__(**how)

    def environment(self):
        return {**super().environment(), **self.env}


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f)


def user_id(name):
    return pwd.getpwnam(name).pw_uid


def check_confined(pid, uid, capabilities=0):
    s = status(pid)
    assert s["Seccomp"] == "2", s
    assert s["NoNewPrivs"] == "1", s
    assert s["Threads"] == "1", s
    for name in ("CapInh", "CapPrm", "CapEff"):
        assert int(s[name], 16) == capabilities, s
    assert int(s["CapAmb"], 16) == 0, s
    assert s["Uid"].split() == [str(uid)] * 4, s
    if IS_ROOT:
        gid = str(pwd.getpwuid(uid).pw_gid)
        assert s["Gid"].split() == [gid] * 4, s
        assert set(s["Groups"].split()) <= {gid}, s


def children_of(beacon):
    return [c["pid"] for c in beacon.children() if c["role"] != "parent"]


def sanitized(beacon):
    """A build with a sanitizer says that it has no sandbox."""
    return any("built with a sanitizer" in line for line in beacon.lines)


def check_all_confined(beacon):
    if sanitized(beacon):
        return
    uid = user_id(USER) if IS_ROOT else os.geteuid()
    check_confined(beacon.pid, uid,
        0 if beacon.unprivileged else PARENT_CAPABILITIES)
    if not beacon.unprivileged:
        bound = int(status(beacon.pid)["CapBnd"], 16)
        assert bound & ~PARENT_CAPABILITIES == 0, "%x" % bound
    pids = children_of(beacon)
    assert len(pids) == 3, pids
    for pid in pids:
        check_confined(pid, uid)
        # Its own filter, and the one that it was born under.
        assert status(pid)["Seccomp_filters"] == "2"


def sockets():
    """Inode of every socket here -> what it is."""
    found = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        with open("/proc/net/" + name) as f:
            for line in f.readlines()[1:]:
                word = line.split()
                what = name.rstrip("6")
                if what == "tcp" and word[3] == "0A":
                    what = "listener"
                found[word[9]] = what
    with open("/proc/net/unix") as f:
        for line in f.readlines()[1:]:
            word = line.split()
            found[word[6]] = "unix " + UNIX_TYPES[word[4]]
    return found


def descriptors(pid):
    """Number of each open descriptor -> what it is."""
    directory = "/proc/%d/fd" % pid
    links = {int(fd): os.readlink(os.path.join(directory, fd))
        for fd in os.listdir(directory)}
    known = sockets()
    kinds = {}
    for fd, link in links.items():
        inode = re.match(r"socket:\[(\d+)\]$", link)
        kinds[fd] = known.get(inode.group(1), link) if inode else link
    return kinds


def check_descriptors(pid, **rest):
    kinds = descriptors(pid)
    assert kinds.pop(0) == kinds.pop(1) == "/dev/null"
    assert kinds.pop(2).startswith("pipe:")
    assert kinds.pop(3) == "unix stream"
    # A datagram socket could send to any path by itself.
    assert kinds.pop(4) == "unix seqpacket"
    got = collections.Counter(kinds.values())
    want = collections.Counter({"anon_inode:[eventpoll]": 1})
    want.update({name.replace("_", " "): n for name, n in rest.items()})
    assert got == want, "%s, not %s" % (got, want)


def as_user(function):
    """Runs it in a process of the daemon's own user."""
    pid = os.fork()
    if pid == 0:
        try:
            if IS_ROOT:
                user = pwd.getpwnam(USER)
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def refused(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return
    raise AssertionError(path + " can be opened")


def relay_all_ways(beacon):
    """Between nodes of both workers, and by UDP."""
    one, two, others = pair_on_workers(beacon, True)
    for size in (1, 1000, 32000):
        one.send_to(two.node, b"x" * size)
        two.expect_from(one.node, b"x" * size)
    with Udp(beacon.udp_port, 100) as far:
        far.join(beacon)
        for client in one, two:
            far.send(relay(100, client.node, b"from afar"))
            client.expect_from(100, b"from afar")
            client.send_to(100, b"and back")
            far.expect_from(client.node, b"and back")
    for client in others:
        client.close()


def test_every_process_is_confined():
    with Beacon(udp=True) as b:
        check_all_confined(b)


def test_every_process_is_confined_without_root():
    with Beacon(udp=True, unprivileged=True) as b:
        check_all_confined(b)


def test_roles_have_users_of_their_own_and_an_empty_root():
    if not IS_ROOT:
        # Then all of them are whoever started it, and that is checked above.
        return
    with Beacon('worker user "games"\nauth user "man"') as b:
        for worker in 0, 1:
            check_confined(b.pid_of("worker", worker), user_id("games"))
        check_confined(b.pid_of("auth"), user_id("man"))
        for pid in children_of(b):
            assert os.readlink("/proc/%d/root" % pid) != "/"
            root = os.stat("/proc/%d/root" % pid)
            assert (root.st_uid, root.st_mode & 0o222) == (0, 0)
            assert os.listdir("/proc/%d/root/" % pid) == []
        login(b, 1).close()
        # And one that is replaced likewise.
        b.wait_new("auth", b.kill("auth"))
        check_confined(b.pid_of("auth"), user_id("man"))


def test_replaced_children_are_confined_too():
    with Beacon() as b:
        for role in "auth", "worker":
            b.wait_new(role, b.kill(role))
        check_all_confined(b)


def test_descriptors_are_the_documented_ones():
    with Beacon(udp=True) as b:
        if not IS_ROOT:
            # Then they are nobody's to see, which is as good.
            for pid in children_of(b):
                as_user(lambda: refused("/proc/%d/maps" % pid))
            return
        for worker in 0, 1:
            # One channel to the other worker, one to auth.
            check_descriptors(b.pid_of("worker", worker), unix_stream=2,
                listener=1, udp=1)
        check_descriptors(b.pid_of("auth"), unix_stream=2)
        client = login(b, 1)
        check_descriptors(b.pid_of("worker", b.worker_of(1)),
            unix_stream=2, listener=1, udp=1, tcp=1)
        client.close()


def test_children_get_no_environment_but_the_knobs_of_malloc():
    if not IS_ROOT:
        return      # nobody can look; see below
    with Tuned({"SECRET": "x", "MALLOC_PERTURB_": "165"}) as b:
        for pid in children_of(b):
            with open("/proc/%d/environ" % pid, "rb") as f:
                names = {line.split(b"=")[0] for line in f.read().split(b"\0")}
            assert b"SECRET" not in names, names
            assert b"MALLOC_PERTURB_" in names, names


def test_no_memory_is_writable_and_executable():
    with Beacon() as b:
        pids = children_of(b)
        if not IS_ROOT:
            for pid in pids:
                as_user(lambda: refused("/proc/%d/maps" % pid))
            return
        maps = 0
        for pid in pids:
            with open("/proc/%d/maps" % pid) as f:
                for line in f:
                    rights = line.split()[1]
                    assert not ("w" in rights and "x" in rights), line
                    if "memfd:peermap" in line:
                        assert rights == "r--s", line
                        maps += 1
        assert maps >= 2, "the workers have no peer map"


def test_no_process_can_be_looked_into_by_its_user():
    with Beacon() as b:
        if sanitized(b):
            return
        for pid in [b.pid] + children_of(b):
            for name in "mem", "maps", "environ", "auxv":
                as_user(lambda: refused("/proc/%d/%s" % (pid, name)))


def test_processes_survive_being_stopped():
    with Beacon() as b:
        pids = [b.pid] + children_of(b)
        for number in signal.SIGSTOP, signal.SIGCONT:
            for pid in pids:
                os.kill(pid, number)
        login(b, 1).close()
        assert [b.pid] + children_of(b) == pids


@limit(120)
def test_every_malloc_setting():
    for env in MALLOC:
        print(env, flush=True)
        with Tuned(env, udp=True, nodes=range(1, 41)) as b:
            relay_all_ways(b)
            b.wait_new("worker", b.kill("worker"))
            b.wait_new("auth", b.kill("auth"))
            login(b, 40).close()
