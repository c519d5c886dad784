# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A beacon on a machine that the test can set (regress/hostile/machine.c)."""

import os
import shutil
import struct
import time

from beacon import BUILD, PROGRAMS, Beacon


class OnMachine:
    """For a beacon: its clocks, and whether there is memory."""

    def install(self, unprivileged):
        # In its directory before anything reads it.
        self.set(0, 0, False)
        for name in PROGRAMS:
            shutil.copy(os.path.join(BUILD, "machine", name), self.directory)
        return self.directory

    def environment(self):
        return {**super().environment(),
            "MALLOC_MACHINE": self.machine_path()}

    def machine_path(self):
        return os.path.join(self.directory, "machine")

    def set(self, wall, monotonic, no_memory):
        """Seconds that each clock is ahead of the machine's."""
        self.wall, self.monotonic = wall, monotonic
        with open(self.machine_path(), "wb" if not os.path.exists(
                self.machine_path()) else "r+b", buffering=0) as f:
            f.write(struct.pack("=qqq", wall, monotonic, no_memory))
        os.chmod(self.machine_path(), 0o644)

    def step(self, seconds):
        """The wall clock is set."""
        self.set(self.wall + seconds, self.monotonic, False)
        # By now it has been read, and what depends on it has been seen to.
        time.sleep(1.1)

    def spend(self, seconds):
        """That much time has passed, by all clocks."""
        self.set(self.wall + seconds, self.monotonic + seconds, False)
        # Workers look at the clock four times a second.
        time.sleep(0.6)

    def time(self):
        return time.time() + self.wall

    def memory(self, there):
        """Whether there is any for whoever asks from now on."""
        self.set(self.wall, self.monotonic, not there)


class MachineBeacon(OnMachine, Beacon):
    pass
