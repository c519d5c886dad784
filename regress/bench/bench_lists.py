#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""How long a list of 50,000 peers takes, and how long others wait meanwhile."""

import argparse
import os
import statistics
import subprocess
import tempfile
import threading
import time

from harness import Beacond, Crowd

PEERS = 50000
TIMES = 5
MOST = 1.0      # seconds


def seconds(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def measure(server):
    """Seconds of each list, and of each short question beside them."""
    lists, asked = [], []
    over = threading.Event()

    def ask():
        while not over.is_set():
            asked.append(seconds(lambda: server.ctl("show", "summary")))
    other = threading.Thread(target=ask)
    other.start()
    try:
        for _ in range(TIMES):
            lists.append(seconds(lambda: subprocess.run(
                [server.build + "/beaconctl", "-s", server.dir + "/ctl.sock",
                    "show", "peers", "sort", "age"],
                stdout=subprocess.DEVNULL, check=True)))
    finally:
        over.set()
        other.join()
    return lists, asked


def run(build, keys):
    subprocess.run([os.path.join(build, "bench", "load"), "keys", "-n",
        str(PEERS), keys], check=True)
    os.chmod(keys, 0o644)
    with Beacond(build, keys, workers=4, peers=PEERS) as server, \
            Crowd(build, server, PEERS) as crowd:
        crowd.open()
        assert len(server.ctl("show", "peers")) == PEERS
        lists, asked = measure(server)
        crowd.results()
    return lists, asked


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    build = parser.parse_args().build
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        lists, asked = run(build, os.path.join(scratch, "keys"))
    print(f"show peers sort age, {PEERS} rows: "
        f"{statistics.median(lists):.3f} s, at most {max(lists):.3f} s; "
        f"show summary meanwhile: {statistics.median(asked) * 1e3:.1f} ms, "
        f"at most {max(asked) * 1e3:.1f} ms")
    return max(lists) > MOST


if __name__ == "__main__":
    raise SystemExit(main())
