# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Workers that have no memory, or no more than some."""

import contextlib
import os
import shutil

from beacon import BUILD, PROGRAMS
from machine import MachineBeacon

# Where a group of processes can be given one: by the first version of cgroups,
# or by the second.
PLACES = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes",
    "memory.usage_in_bytes"),
    ("/sys/fs/cgroup", "memory.max", "memory.current")]


class StarvedWorkers(MachineBeacon):
    """The workers alone may be without memory."""

    def install(self, unprivileged):
        super().install(unprivileged)
        for name in set(PROGRAMS) - {"beacond-worker"}:
            shutil.copy(os.path.join(BUILD, name), self.directory)
        return self.directory


@contextlib.contextmanager
def group(pid, most):
    """Of pages: whoever needs more is killed.  Yields False if this machine
    lets nobody make a group, and then there is no limit."""
    for place, limit, usage in PLACES:
        path = os.path.join(place, "beacond-%d" % pid)
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            if os.path.exists(os.path.join(path, usage)):
                put(path, limit, most)
                put(path, "cgroup.procs", pid)
                yield True
                return
        finally:
            remove(path)
    yield False


def put(path, name, value):
    with open(os.path.join(path, name), "w") as f:
        f.write(str(value))


def remove(path):
    """Who is still in it goes back to where it came from."""
    with open(os.path.join(path, "cgroup.procs")) as f:
        pids = f.read().split()
    for pid in pids:
        put(os.path.dirname(path), "cgroup.procs", pid)
    os.rmdir(path)
