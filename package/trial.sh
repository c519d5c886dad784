# What the package does to a machine, in the order of its life there.
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

fail() {
	echo "FAILED: $*"
	journalctl -q -o cat -u beacond.service | tail -20
	exit 1
}
get() {
	apt-get -qq -y --no-install-recommends \
	    -o Dpkg::Options::=--force-confdef \
	    -o Dpkg::Options::=--force-confold "$@" >/tmp/apt 2>&1 || {
		cat /tmp/apt
		fail "apt-get $*"
	}
}
pid() { systemctl show -P MainPID beacond.service; }
running() { [ "$(systemctl is-active beacond.service)" = active ]; }
probe() {
	beaconctl probe -c 1 -i /tmp/key -n 7778 ws://127.0.0.1:8443 \
	    >/dev/null
}
left() {
	find / -xdev -name '*beacon*' -not -path '/proc/*' \
	    -not -path '/opt/*' -not -path '/sys/*' -not -path '/var/log/*' \
	    -not -path '/var/cache/apt/*'
}

[ -z "$(left)" ] || fail "it was there already: $(left)"

get install /opt/trial/first.deb
running || fail "not started"
systemctl is-enabled -q beacond.service beacond.socket || fail "not enabled"
for p in /proc/[0-9]*; do
	case $(cat "$p/comm" 2>/dev/null) in
	beacond*) [ "$(stat -c %U "$p")" != root ] || fail "$p is root's" ;;
	esac
done
echo "installed and started"

get install autopkgtest dpkg-dev
autopkgtest --ignore-restrictions=isolation-container \
    --no-built-binaries /opt/trial/source/ -- null >/tmp/autopkgtest 2>&1 || {
	tail -n 40 /tmp/autopkgtest
	fail "the package's own test"
}
echo "autopkgtest: $(tail -n 1 /tmp/autopkgtest)"

beaconctl keygen -n 7778 /tmp/key >>/etc/beacond/keys
systemctl reload beacond.service
# What the operator has written stays, also if the package has news.
echo "max peers 4321" >>/etc/beacond.conf
old=$(pid)
get install /opt/trial/next.deb
grep -q "max peers 4321" /etc/beacond.conf || fail "configuration not kept"
grep -q "^7778 " /etc/beacond/keys || fail "keys not kept"
[ "$(pid)" != "$old" ] || fail "the old programs run on"
beaconctl show summary | grep -q "at most 4321" || fail "not its configuration"
probe || fail "no login after an upgrade"
echo "upgraded: configuration and keys kept, started anew"

# With a bad file nothing is started, and what runs goes on.
cp /etc/beacond.conf /tmp/good
echo nonsense >>/etc/beacond.conf
old=$(pid)
get install --reinstall /opt/trial/next.deb
grep -q "mend /etc/beacond.conf" /tmp/apt || fail "it does not say so"
running && [ "$(pid)" = "$old" ] || fail "a bad file has stopped it"
probe || fail "no login beside a bad file"
echo "bad configuration: what ran goes on"

get remove beacond
running && fail "runs on after its removal"
[ -e /etc/beacond.conf ] && [ -s /etc/beacond/keys ] ||
    fail "configuration not kept by a removal"
get install /opt/trial/next.deb
running && fail "started with a bad file"
cp /tmp/good /etc/beacond.conf
systemctl restart beacond.socket beacond.service
probe || fail "not to be repaired"
echo "removed, installed again with a bad configuration: not started"

get purge beacond
systemctl is-active -q beacond.socket && fail "its port is open after a purge"
[ -z "$(left)" ] || fail "left by a purge: $(left)"
echo "purged: nothing is left"
echo "all well"
