#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Two peers whose sessions are to outlive what is done to their beacon.

"keys": their lines of a key file.  PORT FILE: logs them in, makes the file, and
sends packets from one to the other until the file is gone; says how many came.
"""

import os
import struct
import sys
import time

import keys
from client import Client

FROM, TO = 21, 22
EVERY = 0.01


def main():
    if sys.argv[1] == "keys":
        print(keys.line(FROM) + keys.line(TO), end="")
        return
    port, path = int(sys.argv[1]), sys.argv[2]
    sender, dest = Client(port), Client(port)
    sender.login(FROM)
    dest.login(TO)
    with open(path, "w"):
        pass
    sent = 0
    while os.path.exists(path):
        sender.send_to(TO, struct.pack(">I", sent))
        sent += 1
        time.sleep(EVERY)
    for i in range(sent):
        dest.expect_from(FROM, struct.pack(">I", i), 10)
    print("%d of %d, in order" % (sent, sent))


main()
