# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What a shell makes of a tab, in a terminal of its own."""

import contextlib
import os
import pty
import re
import select
import signal
import tempfile
import time

import pytest

from beacon import BUILD
from test_commands import say

ETC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "etc", "completion")
BASH = (["bash", "--norc", "--noprofile", "-i"],
    "bind 'set bell-style none'; bind 'set show-all-if-ambiguous on';"
    "for f in beacond beaconctl; do . %s/$f; done\n" % ETC)
ZSH = (["zsh", "-f", "-i"], "unsetopt beep list_beep; fpath=(%s $fpath);"
    "autoload -U compinit; compinit -D -u\n" % ETC)


class Terminal:
    def __init__(self, directory, shell):
        argv, setting = shell
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(argv[0], argv, {"TERM": "dumb", "PS1": "", "LC_ALL":
                "C", "HOME": directory, "PATH": BUILD + ":/usr/bin:/bin"})
        self.text = ""
        self.type(setting + "echo r''eady\n", "ready")

    def type(self, keys, want):
        """Returns what there is to see once want is."""
        self.text = ""
        os.write(self.fd, keys.encode())
        end = time.monotonic() + 15
        while not re.search(want, self.text):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], \
                "%r instead of %r" % (self.text, want)
            self.text += os.read(self.fd, 4096).decode()
        return self.text

    def tab(self, line, want):
        """Completes a line, which then is thrown away."""
        self.type(line + "\t", want)
        self.type("\x15echo n''ext\n", "next")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.mark.parametrize("shell", [BASH, ZSH], ids=["bash", "zsh"])
def test_a_tab_finds_what_may_follow(shell):
    with tempfile.TemporaryDirectory() as directory, \
            contextlib.closing(Terminal(directory, shell)) as t:
        open(directory + "/some.key", "w").close()
        for line, want in (
                ("beaconctl sh", "beaconctl show "),
                ("beaconctl show sum", "show summary "),
                ("beaconctl -j -s some.key sh pee", "sh peer"),
                ("beaconctl -s so", "-s some.key "),
                ("beaconctl keygen so", "keygen some.key "),
                ("beaconctl probe -i so", "-i some.key "),
                ("beaconctl probe -i some.key -n 7 wss", "wss://"),
                ("beacond -f so", "-f some.key ")):
            t.tab(line, re.escape(want))
        # All that there is, of a list.
        t.tab("beaconctl show \t", r"metrics[^$]*summary")


def words(*said):
    """What the completion asks for: nothing may come of it."""
    status, out, errors = say("beaconctl", "-s", "/nonexistent", *said, "?")
    assert (status, out) == (2, "") and "/nonexistent" not in errors, errors
    found = re.search("; valid here: (.*)", errors.split("\n")[0])
    return found[1].split() if found else []


def test_the_program_says_which_words_there_are():
    every = words()
    assert {"show", "reload", "stop", "keygen", "probe"} <= set(every)
    assert "summary" in words("show")
    for word in every:
        if word not in ("keygen", "probe"):
            for second in words(word):
                words(word, second)


def test_every_option_is_known_to_the_shells():
    usage = say("beaconctl", "-h")[1]
    for name in "beaconctl", "_beaconctl":
        with open(os.path.join(ETC, name)) as f:
            text = f.read()
        for command in "probe", "top":
            takes = re.search(command + r" (.*?)\n +beaconctl", usage, re.S)[1]
            known = re.search(command + r"\)(.*?);;", text, re.S)[1]
            for option in set(re.findall(r"-\w\b", takes)):
                assert re.search(option + r"\b", known), option
