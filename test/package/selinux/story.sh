#!/bin/bash
# Runs inside the guest of test/package/selinux/run.sh, as root, once the system is up; speaks on the second serial line.
# Lines that start with "ok" and "not ok" are the outcome, the rest is evidence.
exec >/dev/ttyS0 2>&1 </dev/null
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ETCDCTL_API=3
here=/root/story

# Usage: check WHAT COMMAND…
check() {
  local what=$1
  shift
  if "$@"; then echo "ok $what"; else echo "not ok $what"; return 1; fi
}

# Usage: within SECONDS COMMAND…; an emulated machine takes its time.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= end)); then return 1; fi
    sleep 0.5
  done
}

pids_of_helper() { pgrep -f '^/usr/libexec/ctdb/ctdb_etcd_lock'; }
pids_of_watchdog() { pgrep -f '^ctdb_etcd_lock-watchdog'; }
lock_keys() { etcdctl get --prefix /_locks/ --keys-only 2>/dev/null | sed '/^$/d'; }
is_held() { [ -n "$(lock_keys)" ]; }
is_free() { [ -z "$(lock_keys)" ]; }
is_ok() { ctdb status 2>/dev/null | grep -q '^pnn:0 .* OK (THIS NODE)' && ctdb status | grep -q '^Recovery mode:NORMAL'; }
has_changed() { is_held && [ "$(lock_keys)" != "$1" ]; }
is_gone() { [ ! -e "/proc/$1" ]; }
is_confined() { [[ "$(cat "/proc/$1/attr/current" | tr -d '\0')" == *:ctdbd_t:* ]]; }
says() { grep -q "$1" /var/log/ctdb/log.ctdb; }
# What the kernel refused since the start, or wrote down because the system is permissive.
denials() { ausearch --input-logs --start boot --message AVC,USER_AVC,SELINUX_ERR --interpret 2>/dev/null; }


echo "# $(uname -r), policy $(cat /etc/debian_version), $(dpkg-query -W -f '${Package} ${Version}\n' ctdb etcd-server selinux-policy-default ctdb-etcd-lock | paste -sd,)"
mode=$(getenforce)
check "the system is ${mode,,}" [ "${mode,,}" = "$(cat $here/mode)" ]
# shellcheck disable=SC2012 # names are ours
ls -Z /usr/libexec/ctdb/ctdb_etcd_lock /etc/ctdb/etcd /usr/sbin/ctdbd
check 'etcd starts' systemctl start etcd || journalctl -u etcd --no-pager | tail -n 20
check 'etcd answers' within 120 etcdctl endpoint health

take_and_release() {
  echo "# $1"
  check 'CTDB starts' systemctl start ctdb
  check 'the lock is held in etcd' within 120 is_held
  check 'CTDB is healthy' within 120 is_ok
  lock_keys
  local helper watchdog keys
  helper=$(pids_of_helper | head -n 1)
  watchdog=$(pids_of_watchdog | head -n 1)
  ps -o pid,label,args -p "$(pgrep -d, -x ctdbd),${helper:-0},${watchdog:-0}"
  check 'the helper runs in ctdbd_t' is_confined "$helper"
  check 'its watchdog runs in ctdbd_t' is_confined "$watchdog"
  keys=$(lock_keys)
  for _ in 1 2; do
    check 'CTDB recovers' ctdb recover
    check 'CTDB is healthy after it' within 120 is_ok
  done
  check 'the lock is the same after two recoveries' [ "$(lock_keys)" = "$keys" ]
}

let_go() {
  check 'CTDB stops' systemctl stop ctdb
  check 'nothing is left in etcd' within 60 is_free
}

take_and_release 'plain text, a name from the configuration'
frozen=$(pids_of_helper | head -n 1)
keys=$(lock_keys)
kill -STOP "$frozen"
check 'the watchdog kills a frozen helper' within 60 is_gone "$frozen"
check 'CTDB takes the lock anew' within 120 has_changed "$keys"
let_go

# The name of the host would be another on each node, so the helper takes only one that smb.conf sets.
printf '[global]\n  netbios name = STORY\n' >/etc/samba/smb.conf
cp $here/config-tls /etc/ctdb/etcd
take_and_release 'TLS with a client certificate, a name from testparm'
let_go
nothing_refused() { ! denials | grep 'avc: .*scontext=[^ ]*:ctdbd_t:' | grep -v 'dest=3379 '; }
check 'nothing was refused to ctdbd_t' nothing_refused

echo '# a port without a name, and the boolean'
cp $here/config-port /etc/ctdb/etcd
if [ "$mode" = Enforcing ]; then
  systemctl start ctdb
  refused() { denials | grep -q 'avc: .*name_connect.*dest=3379 '; }
  check 'the kernel refuses the connection' within 120 refused
  check 'and nothing is in etcd' is_free
  systemctl stop ctdb
fi
setsebool ctdb_etcd_lock_any_port on
take_and_release 'ctdb_etcd_lock_any_port on'
let_go

check 'nothing else was refused to ctdbd_t' nothing_refused
if [ "$mode" != Enforcing ]; then denials; fi
echo '# log of CTDB'
cat /var/log/ctdb/log.ctdb
echo '# end'
sync
systemctl poweroff --force
