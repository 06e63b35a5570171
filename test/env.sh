# Sourced by the scripts under test/: where the checkout is, a PATH with the tools that the set-up unpacked, and a voice.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$checkout/.cache

# Debian's users have no sbin in their PATH, which is where ip, iptables and chroot live.
PATH=$checkout/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Only without root: packages that are not installed are unpacked here by test/setup.sh.
if [ -d "$cache/root/usr" ]; then
  PATH=$PATH:$cache/root/usr/bin:$cache/root/usr/sbin:$cache/root/sbin:$cache/root/bin
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$cache/root/usr/lib/$(uname -m)-linux-gnu:$cache/root/lib/$(uname -m)-linux-gnu
  export LD_LIBRARY_PATH
fi
export PATH

# What the script calls itself in what it says.
who=setup
say() { printf '%s: %s\n' "$who" "$*"; }
fail() {
  say "$@" >&2
  exit 1
}
