# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""A service manager that keeps descriptors, and a beacon that it runs."""

import array
import os
import socket
import subprocess
import threading

from beacon import START, Beacon

FIRST = 3       # of the descriptors that a service finds open
SPARE = 500


class Keeper:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self):
        self.name = "beacond-keeper-%d" % os.getpid()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(b"\0" + self.name.encode())
        self.kept = {}
        self.refuses = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            data, control, _, _ = self.sock.recvmsg(4096,
                socket.CMSG_SPACE(4))
            fds = array.array("i")
            for _, _, value in control:
                fds.frombytes(value[:4])
            fields = dict(line.split("=", 1)
                for line in data.decode().splitlines())
            if "FDSTORE" in fields:
                assert fields["FDPOLL"] == "0"
                self.kept[fields["FDNAME"]] = fds[0]
            elif "FDSTOREREMOVE" in fields:
                os.close(self.kept.pop(fields["FDNAME"]))
            elif "BARRIER" in fields and not self.refuses:
                os.close(fds[0])


class Kept(Beacon):
    """Run by a Keeper, which starts it again with what it has kept."""

    def __init__(self, *args, **how):
        self.keeper = Keeper()
        super().__init__(*args, **how)

    def environment(self):
        kept = self.keeper.kept
        env = {**super().environment(),
            "NOTIFY_SOCKET": "@" + self.keeper.name}
        if kept:
            env["LISTEN_FDS"] = str(len(kept))
            env["LISTEN_FDNAMES"] = ":".join(kept)
        return env

    def command(self, *args):
        return ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"] + \
            super().command(*args)

    def place(self):
        """Puts what is kept at 3, 4, ..."""
        spare = [os.dup2(fd, SPARE + i)
            for i, fd in enumerate(self.keeper.kept.values())]
        for i, fd in enumerate(spare):
            os.dup2(fd, FIRST + i)

    def launch(self, *args):
        self.lines = []
        self.eof = False
        self.proc = subprocess.Popen(
            self.command("-d", "-f", self.conf_path, *args),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=self.environment(),
            close_fds=False, preexec_fn=self.place)
        self.reader = threading.Thread(target=self.read, daemon=True,
            args=(self.proc, self.lines))
        self.reader.start()

    def restart(self):
        """As "systemctl restart" does it."""
        self.note_children()
        self.ctl("park", text=True)
        assert self.proc.wait(20) == 0
        self.check_no_process()
        self.reader.join(20)
        self.launch()
        self.wait_line(r"^beacond: ready$", START)
        assert self.listening("websocket") == self.ports
        assert self.listening("udp") == self.udp_ports
        self.pid = self.proc.pid
        self.note_children()
