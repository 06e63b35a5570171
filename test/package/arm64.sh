#!/usr/bin/env bash
# Builds the packages for arm64 and runs their binary under qemu: --version, a take, a contention, a release.
#
# Usage: test/package/arm64.sh [--no-build]      (root; the first run fetches the runtime for arm64)
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

who=arm64

test/setup.sh --no-build
. test/setup/apt.sh
install_debian_packages binutils-aarch64-linux-gnu checkpolicy cpio libc6-arm64-cross libstdc++6-arm64-cross qemu-user-static rpm semodule-utils
if [ "${1-}" != --no-build ]; then npm run --silent package -- --arch arm64; fi
exec node --test --test-timeout=600000 --test-reporter=spec test/package/arm64/arm64.test.ts
