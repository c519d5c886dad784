# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A beacon whose system calls fail as a test wants it (faults.c)."""

import mmap
import os
import shutil
import struct

import calls
from beacon import BUILD, PROGRAMS, Beacon

ROLES = ["parent", "worker", "auth", "metrics"]
SHORT, NO_FD = -1, -2
PLAN = struct.Struct("=IiIIiIII")
COUNTS = struct.Struct("=II")
AT_CALLS = PLAN.size + COUNTS.size
SIZE = AT_CALLS + 4 * len(ROLES) * len(calls.NAMES)


class Page:
    """What test and programs share."""

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as f:
            f.truncate(SIZE)
            self.map = mmap.mmap(f.fileno(), SIZE)
        # The children are other users than who makes it.
        os.chmod(path, 0o666)

    def disarm(self):
        self.map[:4] = bytes(4)

    def arm(self, role, call, error, first=1, every=0, limit=1 << 31, pid=0):
        """From now on `call` fails for that role, the first-th time and then
        every so many times, limit times at most."""
        self.disarm()
        self.map[PLAN.size:AT_CALLS] = bytes(COUNTS.size)
        self.map[4:PLAN.size] = PLAN.pack(0, pid, ROLES.index(role),
            calls.NAMES.index(call), error, first, every, limit)[4:]
        self.map[:4] = struct.pack("=I", 1)

    def failed(self):
        """How often it has, since it was armed."""
        return COUNTS.unpack(self.map[PLAN.size:AT_CALLS])[1]

    def made(self):
        """{(role, call)} of all that there ever were."""
        number = struct.unpack("=%dI" % (len(ROLES) * len(calls.NAMES)),
            self.map[AT_CALLS:])
        return {(role, call) for i, role in enumerate(ROLES)
            for j, call in enumerate(calls.NAMES)
            if number[i * len(calls.NAMES) + j]}


class FaultyBeacon(Beacon):
    """A Beacon with metrics, and whose programs have the page."""

    def __init__(self, **how):
        super().__init__(**how)
        # With it, Landlock lets the children write to the directory.
        self.conf = 'blocks file "%s"\nmetrics on 127.0.0.1 port 0' % \
            os.path.join(self.directory, "blocks")
        self.write_conf(self.conf, **how)
        self.page = Page(os.path.join(self.directory, "faults"))

    def install(self, unprivileged):
        for name in PROGRAMS:
            shutil.copy(os.path.join(BUILD, "faults", name)
                if name != "beaconctl" else os.path.join(BUILD, name),
                self.directory)
        return self.directory

    def environment(self):
        return {**super().environment(),
            "MALLOC_FAULTS": self.page.path}
