# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""README's installation, as it stands there, on a machine of its own.

A container with a booted systemd, whose root is this machine's with an overlay:
what is installed and broken there is nowhere else.
"""

import os
import re
import subprocess
import tempfile

from beacon import BUILD, IS_ROOT, limit

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# A mount namespace of our own: /run is not to be the machine's.
OUTSIDE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/root" "$1/up" "$1/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" \\
    "$1/root"
mount -t tmpfs tmpfs /run
mkdir /run/systemd
cp -r "$2/." "$1/root"
: >"$1/root/etc/machine-id"
rm -f "$1/root/usr/sbin/policy-rc.d" "$1/root/etc/beacond.conf"
rm -rf "$1/root/etc/beacond" "$1/root/etc/sysusers.d" \\
    "$1/root/etc/tmpfiles.d"
systemd-nspawn -q -D "$1/root" --private-network --register=no --keep-unit \\
    --link-journal=no --system-call-filter="landlock_create_ruleset \\
    landlock_add_rule landlock_restrict_self" --bind="$3:/opt/source" \\
    --boot systemd.unit=trial.service \\
    systemd.journald.forward_to_console=no </dev/null || true
cat "$1/root/result"
"""

UNIT = """
[Unit]
DefaultDependencies=no
Requires=sysinit.target sockets.target
After=sysinit.target sockets.target
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
TimeoutStartSec=100
ExecStart=/bin/bash /trial.sh
StandardOutput=file:/result
StandardError=file:/result
"""

TRIAL = r"""
PATH=/opt/trial:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd /opt/source
tell() { echo "== $1"; }
up() { curl -s -m 2 -o /dev/null -w '%%{http_code}\n' \
    http://127.0.0.1:8443/v1/compat; }
again() { for _ in $(seq 50); do [ "$(up)" = 426 ] && break; sleep 0.1; done; up; }
%(readme)s
status=$?; tell installed; echo $status
tell up; again
tell user; ps -o user= -C beacond
beaconctl keygen -n 7 /root/key >>/etc/beacond/keys
tell reload; systemctl reload beacond.service; echo $?
tell login; beaconctl probe -c 1 -i /root/key -n 7 \
    ws://127.0.0.1:8443/v1/compat >/dev/null; echo $?
mkdir -p /var/lib/prometheus/node-exporter; cp /root/key /etc/beacond/probe.key
echo "PROBE=-c 1 -i /etc/beacond/probe.key -n 7 ws://127.0.0.1:8443" >/etc/beacond/probe-here.conf
tell timer; systemctl start beacond-probe@here.timer; echo $?
tell probe; systemctl start beacond-probe@here.service; echo $?
ls /var/lib/prometheus/node-exporter
tell probed; sed -n 's/^pilot_beacon_probe_status.*} //p' \
    /var/lib/prometheus/node-exporter/beacond-probe-here.prom
python3 -B regress/system/stays.py keys >>/etc/beacond/keys
beaconctl reload >/dev/null 2>&1
python3 -B regress/system/stays.py 8443 /root/stop >/root/stayed 2>&1 &
for _ in $(seq 100); do [ -e /root/stop ] && break; sleep 0.1; done
tell restart; for i in 1 2 3; do
    systemctl restart beacond.service; echo $?
    for _ in $(seq 50); do beaconctl show summary >/dev/null 2>&1 && break
        sleep 0.1
    done
done
tell taken-over; journalctl -q -o cat -u beacond.service | grep -c "2 sessions taken"
rm /root/stop; wait %%1
tell stayed; cat /root/stayed
cp /etc/beacond.conf /root/good
printf 'blocks file "/var/lib/none"\n' | cat /root/good - >/etc/beacond.conf
tell half-reload; beaconctl reload; echo $?; systemctl reload beacond.service
echo $?; systemctl show -P StatusText beacond.service
cp /root/good /etc/beacond.conf
tell whole-reload; beaconctl reload; echo $?
echo nonsense >>/etc/beacond.conf
tell bad-reload; systemctl reload beacond.service; echo $?
tell still; up
systemctl restart beacond.service >/dev/null 2>&1
for _ in 1 2 3 4 5 6 7; do up; sleep 1.1; done >/dev/null
tell broken; systemctl is-active beacond.socket
cp /root/good /etc/beacond.conf
tell repaired; again
tell warnings; journalctl -q -o cat -p warning -u beacond.service | \
    grep -c nonsense
tell again; make -s install-systemd >/dev/null 2>&1; echo $?
tell kept; grep -c . /etc/beacond/keys
beaconctl keygen -n 8 /root/key8 >/root/nodes
registry() { python3 -B regress/system/registry.py "$@" /root/nodes \
    >/dev/null 2>&1 &
    for _ in $(seq 100); do
        { [ -S "$2" ] || : </dev/tcp/127.0.0.1/"$2"; } 2>/dev/null && break
        sleep 0.1
    done
}
asks() {
    sed -i '/^registry/d' /etc/beacond.conf
    printf '%%s\nkeys cache "/var/lib/beacond/cache"\n' "$1" |
        cat - /root/good >/etc/beacond.conf
    systemctl restart beacond.service
    again >/dev/null
    beaconctl probe -c 1 -i /root/key8 -n 8 ws://127.0.0.1:8443/v1/compat \
        >/dev/null
    echo $?
    for _ in $(seq 200); do
        beaconctl show registry | grep -w 'link *up' && break; sleep 0.1
    done
}
mkdir /run/pilot
registry -u /run/pilot/registry.sock
tell path; asks 'registry "/run/pilot/registry.sock"'
systemctl stop beacond.socket beacond.service
tell cache; stat -c '%%U %%a %%s' /var/lib/beacond/cache
rm /var/lib/beacond/cache
systemctl start beacond.socket
registry -p 900
tell no-network; asks 'registry 127.0.0.1 port 900'
install -D -m 644 /usr/local/share/examples/beacond/beacond-registry.conf.example \
    /etc/systemd/system/beacond.service.d/registry.conf
systemctl daemon-reload
tell address; asks 'registry 127.0.0.1 port 900'
systemctl stop beacond.socket beacond.service
tell left; ls /run/beacond 2>/dev/null
tell log; journalctl -q -o cat -u beacond.service | tail -60
tell end
"""


def readme():
    """The block of its installation."""
    with open(os.path.join(ROOT, "README.md")) as f:
        text = f.read()
    return re.search(r"^To install it for good.*\n\n((?:    .*\n)+)", text,
        re.M).group(1)


def trial():
    with tempfile.TemporaryDirectory() as at, \
            tempfile.TemporaryDirectory() as more:
        os.makedirs(more + "/etc/systemd/system")
        os.makedirs(more + "/opt/trial")
        with open(more + "/etc/systemd/system/trial.service", "w") as f:
            f.write(UNIT)
        with open(more + "/trial.sh", "w") as f:
            f.write(TRIAL % {"readme": readme()})
        # The container's root needs none, and may have none.
        with open(more + "/opt/trial/sudo", "w") as f:
            f.write('#!/bin/sh\nexec "$@"\n')
        os.chmod(more + "/opt/trial/sudo", 0o755)
        run = subprocess.run(["unshare", "-m", "sh", "-c", OUTSIDE, "sh", at,
            more, ROOT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=150)
    print(run.stdout)
    parts = re.split(r"^== (.*)\n", run.stdout, flags=re.M)
    return dict(zip(parts[1::2], (p.strip() for p in parts[2::2])))


if IS_ROOT:
    @limit(180)
    def test_readme_installs_it_under_a_booted_systemd():
        assert os.path.exists(os.path.join(BUILD, "beacond"))
        said = trial()
        assert "end" in said, said
        assert said["installed"] == "0"
        assert said["up"] == "426"
        assert set(said["user"].split()) == {"_beacond"}
        assert said["reload"].split()[-1] == "0"
        assert said["login"].split()[-1] == "0"
        assert said["timer"] == "0"
        assert said["probe"].split() == ["0", "beacond-probe-here.prom"]
        assert said["probed"] == "0"
        # Sessions stay over a restart, and so does each packet.
        assert said["restart"].split() == ["0"] * 3
        assert said["taken-over"] == "3"
        assert re.fullmatch(r"(\d{2,}) of \1, in order", said["stayed"])
        # What waits for a restart is told and is no failure.
        half = said["half-reload"].split("\n")
        assert '"blocks file" has changed: needs a restart' in half[0]
        assert half[-3:] == ["3", "0",
            "serving; something waits for a restart, see the log"]
        assert said["whole-reload"].split()[-1] == "0"
        # A bad file is told to whoever reloads, and costs nothing.
        assert said["bad-reload"].split()[-1] != "0"
        assert said["still"] == "426"
        # After a restart with it the port stays, and comes back by itself.
        assert said["broken"].split()[-1] == "active"
        assert said["repaired"] == "426"
        assert int(said["warnings"]) >= 1
        assert (said["again"], said["kept"]) == ("0", "3")
        # A registry with a path needs nothing, one with an address the drop-in.
        assert said["path"].split() == ["0", "link", "up"]
        assert said["cache"].startswith("_beacond 600 ")
        assert said["no-network"].split()[-1] != "0"
        assert said["address"].split() == ["0", "link", "up"]
        assert said["left"] == ""
