#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""run.py ARCH QEMU DIRECTORY: the unit tests of another machine, in
DIRECTORY/unit, by QEMU and with the libraries in DIRECTORY/root."""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys

TIMEOUT = 600       # seconds, for one program

# What qemu-user does not do as a kernel does, by program.
CANNOT = {
    # SO_ATTACH_REUSEPORT_CBPF and IP_OPTIONS are not handed on.
    "parent/steer": ("ipv4", "ipv4_everywhere", "ipv6", "both_by_one_socket",
        "ip_options", "empty_and_strange", "spare_sockets_get_nothing",
        "full_sockets_are_no_hindrance"),
    # What UDP_SEGMENT is told stays in the order of the other machine.
    "worker/answers": ("test_discovers", "test_punches"),
    "worker/udp_send": ("test_in_few_messages",
        "test_address_that_is_not_ours"),
    # It gives the kernel twice the room for descriptors.
    "common/imsg_fd": ("several_at_once",),
    # sendto(2) from a bad address is EFAULT, before the socket is asked.
    "parent/listen_check": ("test_of_udp_sockets_its_own",),
    "parent/listen_socket": ("test_a_udp_socket_that_was_shut_down",),
    # A millisecond is over before it has begun.
    "auth/turn": ("test_the_parent_is_waited_for",),
}

# Of no other machine's own, and minutes long by qemu.
LONG = ("auth/keyfile", "auth/many", "auth/warm")


def program_of(unit, path):
    return os.path.relpath(path, unit)[:-len("_test")]


def run(qemu, root, path):
    """The names of the tests, as (passed, failed); and all that was said."""
    try:
        done = subprocess.run([qemu, path], timeout=TIMEOUT,
            env={**os.environ, "QEMU_LD_PREFIX": root},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        status, said = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        status, said = "timeout", (late.stdout or b"").decode(errors="replace")
    passed = re.findall(r"^ok (\w+)$", said, re.M)
    failed = re.findall(r"^not ok (\w+)", said, re.M)
    if status != 0 and not failed or status == 0 and failed:
        failed.append("status_%s" % status)
    return passed, failed, said


def main(arch, qemu, directory):
    unit = os.path.join(directory, "unit")
    root = os.path.abspath(os.path.join(directory, "root"))
    paths = [path for path in sorted(glob.glob(unit + "/*/*_test"))
        if program_of(unit, path) not in LONG]
    count = wrong = left_out = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, (passed, failed, said) in zip(paths,
                pool.map(lambda path: run(qemu, root, path), paths)):
            program = program_of(unit, path)
            bad = [test for test in failed
                if test not in CANNOT.get(program, ())]
            count += len(passed)
            left_out += len(failed) - len(bad)
            wrong += len(bad)
            if bad:
                print("%s: %s: %s\n%s" % (arch, program, " ".join(bad),
                    said[-2000:]), flush=True)
    print("%s: %d passed, %d failed, %d that qemu cannot" %
        (arch, count, wrong, left_out))
    return wrong > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
