# Sourced by test/setup.sh.

# apt with a state of its own, so that nothing needs root and the machine's package lists stay as they are.
# Usage: private_apt DIR COMMAND [ARGS]; DIR holds sources.list, lists/ and archives/.
private_apt() {
  local state=$1 command=$2
  shift 2
  "$command" -q \
    -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" -o Dir::Cache::Archives="$state/archives" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@"
}

# The address of the Debian archive that this machine's own package sources name.
debian_mirror() {
  local codename mirror
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    awk -v codename="$codename" '$3 == "main" && $2 == codename { print $1; exit }')
  printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
}

install_debian_packages() {
  local missing=() package
  for package; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then missing+=("$package"); fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  if [ "$(id -u)" -eq 0 ]; then
    say "installing ${missing[*]}"
    # Another set-up, or the machine itself, may be at it just now. apt waits for dpkg when it is told to, and never for the
    # lists; therefore they are fetched once more.
    local lists options
    lists=$(mktemp -d)
    chmod 755 "$lists"
    options=(-qy -o DPkg::Lock::Timeout=300 -o Dir::State::Lists="$lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    apt-get "${options[@]}" update
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install --no-install-recommends "${missing[@]}"
    rm -rf "$lists"
  else
    unpack_debian_packages "${missing[@]}"
  fi
}

# Without root: the missing packages and what they need, unpacked side by side into .cache/root.
unpack_debian_packages() {
  local stamp=$cache/root/.unpacked state=$cache/apt/own deb
  if [ "$(cat "$stamp" 2>/dev/null)" = "$*" ]; then return; fi
  say "unpacking $* into .cache/root"
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$cache/root"
  # The machine's own sources: a list of lists, since private_apt reads one file only.
  apt-get -q -o Debug::NoLocking=1 -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" update
  apt-get -qy -o Debug::NoLocking=1 -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" \
    -o Dir::Cache::Archives="$state/archives" install --download-only --no-install-recommends "$@"
  for deb in "$state"/archives/*.deb; do dpkg -x "$deb" "$cache/root"; done
  printf '%s' "$*" >"$stamp"
  rm -rf "$state"
}

# Usage: unpack_etcd_releases CODENAME=NAME…, oldest release first.
# Each ends as .cache/etcd/VERSION/ with a link .cache/etcd/NAME to it.
unpack_etcd_releases() {
  local release name missing=
  for release; do
    if [ ! -x "$cache/etcd/${release#*=}/usr/bin/etcdctl" ]; then missing=yes; fi
  done
  if [ -n "$missing" ]; then
    local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mirror=$(debian_mirror)
    for release; do unpack_etcd "$mirror" "${release%%=*}" "${release#*=}"; done
    rm -rf "$cache/apt"
  fi
  for release; do
    name=${release#*=}
    say "etcd $name is $(readlink "$cache/etcd/$name")"
  done
}

# Looks once a day whether Debian has 3.6 or a later line of etcd where the next release is made, and unpacks it under the name
# of its line, such as `3.6`. That it cannot look is no failure: nothing depends on it.
# Usage: unpack_newer_etcd CODENAME…
unpack_newer_etcd() {
  local stamp=$cache/etcd/.looked-for-newer codename
  if [ -n "$(find "$stamp" -mmin -1440 2>/dev/null)" ]; then return; fi
  for codename; do
    if ! (unpack_if_newer "$codename"); then say "cannot look for a newer etcd in Debian $codename"; fi
  done
  rm -rf "$cache/apt"
  touch "$stamp"
}

# The line of etcd that a Debian version belongs to, such as `3.6` for `3.6.14-1`; nothing for one before 3.6.
newer_line_of() {
  local line
  line=$(printf '%s' "$1" | sed -n 's/^\([0-9]*:\)\?\([0-9]\+\.[0-9]\+\)\..*/\2/p')
  if [ -n "$line" ] && dpkg --compare-versions "$line" ge 3.6; then printf '%s\n' "$line"; fi
}

# One release's etcd when that is of a line from 3.6 on.
unpack_if_newer() {
  local codename=$1 state=$cache/apt/$1 keyring version line
  keyring=$(find "$cache/etcd" -maxdepth 1 -name 'debian-archive-keyring.*' | head -n 1)
  keyring=${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}
  fetch_lists "$(debian_mirror)" "$codename" || return 1
  version=$(private_apt "$state" apt-cache madison etcd-server | awk -F ' *[|] *' 'NR == 1 { print $2 }')
  line=$(newer_line_of "$version")
  if [ -z "$line" ]; then
    say "Debian $codename has no etcd from 3.6 on (${version:-none at all})"
  elif [ ! -x "$cache/etcd/$version/usr/bin/etcdctl" ]; then
    unpack_etcd "$(debian_mirror)" "$codename" "$line" && say "etcd $line is $version"
  fi
}

# Makes the state of a private apt for one release of Debian, and fetches its lists. Reads `keyring`.
fetch_lists() {
  local mirror=$1 codename=$2 state=$cache/apt/$2
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs" "$cache/etcd"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$codename" >"$state/sources.list"
  private_apt "$state" apt-get -o APT::Update::Error-Mode=any update
}

# Fetches one release's etcd. Reads and sets `keyring`: each release of Debian ships the keys that sign the next one,
# and its archive was verified by the keys of the one before, so the chain starts with the machine's own keyring.
unpack_etcd() {
  local mirror=$1 codename=$2 name=$3 state=$cache/apt/$2 version deb
  fetch_lists "$mirror" "$codename"
  (cd "$state/debs" && private_apt "$state" apt-get download etcd-server etcd-client)
  # experimental has no keyring of its own: it is signed as the others are.
  if (cd "$state/debs" && private_apt "$state" apt-get download debian-archive-keyring); then
    dpkg -x "$(echo "$state"/debs/debian-archive-keyring_*.deb)" "$state/keys"
    keyring=$(find "$state/keys/usr/share/keyrings" -name 'debian-archive-keyring.*' | sort | head -n 1)
    # Kept for a look at later releases.
    rm -f "$cache"/etcd/debian-archive-keyring.*
    cp "$keyring" "$cache/etcd/debian-archive-keyring.${keyring##*.}"
    keyring=$(echo "$cache"/etcd/debian-archive-keyring.*)
  fi

  version=$(dpkg-deb -f "$(echo "$state"/debs/etcd-server_*.deb)" Version)
  rm -rf "$cache/etcd/$version.new" "${cache:?}/etcd/$version"
  for deb in "$state"/debs/etcd-*.deb; do dpkg -x "$deb" "$cache/etcd/$version.new"; done
  "$cache/etcd/$version.new/usr/bin/etcd" --version >/dev/null || fail "etcd $version of $codename does not run here"
  mv "$cache/etcd/$version.new" "$cache/etcd/$version"
  ln -sfn "$version" "$cache/etcd/$name"
}

# Unpacks packages of the machine's own release into .cache/NAME, without what they need: programs that stand by themselves,
# whose packages would start services when they are installed.
# Usage: unpack_packages NAME PACKAGE…
unpack_packages() {
  local name=$1 state=$cache/apt/$1 root=$cache/$1 deb
  shift
  if [ "$(cat "$root/.unpacked" 2>/dev/null)" = "$*" ]; then return; fi
  say "unpacking $* into .cache/$name"
  rm -rf "$root" "$state"
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs" "$root"
  apt-get -q -o Debug::NoLocking=1 -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" update
  (cd "$state/debs" && apt-get -q -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
    -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" -o Dir::Cache::Archives="$state/archives" download "$@")
  for deb in "$state"/debs/*.deb; do dpkg -x "$deb" "$root"; done
  rm -rf "$state"
  printf '%s' "$*" >"$root/.unpacked"
}
