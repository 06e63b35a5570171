# Sourced by test/setup.sh.

# True when node_modules holds what package-lock.json names: npm's own record of what it installed has the same
# versions, except for optional packages made for other machines.
npm_packages_match() {
  [ -f node_modules/.package-lock.json ] || return 1
  node -e '
    const { readFileSync } = require("node:fs");
    const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
    const wanted = packages("package-lock.json");
    const installed = packages("node_modules/.package-lock.json");
    const same = Object.entries(wanted).every(([path, { version, integrity, optional }]) =>
      path === "" ||
      (installed[path] === undefined
        ? optional === true
        : installed[path].version === version && installed[path].integrity === integrity));
    process.exit(same && Object.keys(installed).every((path) => path in wanted) ? 0 : 1);
  '
}

install_npm_packages() {
  command -v node >/dev/null && command -v npm >/dev/null || fail 'Node 20 or later and npm are needed: install nodejs and npm'
  if npm_packages_match; then return; fi
  say 'npm ci'
  # Node is only the launcher here: the packages that want a newer one run on the runtime in node_modules, so npm's warnings
  # about the version do not apply.
  npm ci --no-audit --no-fund --loglevel=error
}
