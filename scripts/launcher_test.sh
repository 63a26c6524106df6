#!/usr/bin/env bash
# Tests the launcher with stand-ins for swift, dpkg-query, apt-get, sudo and id: what it says and does
# when something is missing, and that it leaves alone what is there.
set -uo pipefail
here=$(cd -P "${BASH_SOURCE[0]%/*}/.." && pwd)
fakes=$(mktemp -d)
trap 'rm -rf "$fakes"' EXIT
passed=0 failed=0

fake() {
  printf '#!/bin/sh\n%s\n' "$2" >"$fakes/$1"
  chmod +x "$fakes/$1"
}
# expect NAME CODE PATTERN... : runs `trial`, compares its exit code, and looks for every pattern in
# what it said; a pattern that begins with `!` must not be there.
expect() {
  local name=$1 wanted=$2 said code=0 pattern ok=1
  shift 2
  said=$(trial 2>&1) || code=$?
  [ "$code" -eq "$wanted" ] || ok=0
  for pattern in "$@"; do
    case $pattern in
      !*) grep -qF -- "${pattern#!}" <<<"$said" && ok=0 ;;
      *) grep -qF -- "$pattern" <<<"$said" || ok=0 ;;
    esac
  done
  if [ $ok -eq 1 ]; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s: exit %s, expected %s; said:\n%s\n' "$name" "$code" "$wanted" "$said"
  fi
}
ready() { (
  root=${1:-$here}
  # shellcheck source=scripts/ready.sh
  . "$here/scripts/ready.sh"
  shift
  "$@"
); }

trial() { PATH=$fakes:/usr/bin:/bin ready "$here" require_swift; }
if ! PATH=/usr/bin:/bin command -v swift >/dev/null; then
  expect "without Swift: which version, how, exit 2" 2 "Swift 6.3 or newer" "swiftly install 6.3"
fi
for version in 5.10.1 6.2.4; do
  fake swift "echo 'Swift version $version (swift-$version-RELEASE)'"
  expect "Swift $version is too old, exit 2" 2 "Swift 6.3 or newer is needed" "is ${version%.*}."
done
for version in 6.3 6.3.1 6.10 7.0; do
  fake swift "echo 'Swift version $version (swift-$version-RELEASE)'"
  expect "Swift $version will do" 0 "!needed"
done
fake swift "echo nonsense; exit 1"
expect "a Swift that tells no version is refused" 2 "of an unknown version"

listed=$(sed -n 's/^build  *\([^ ]*\).*/ii \1/p' "$here/scripts/packages.txt")
trial() { PATH=$fakes:/usr/bin:/bin ready "$here" require_packages build; }
fake dpkg-query "printf '%s\n' '${listed//$'\n'/\' \'}'"
fake apt-get 'echo "ran apt-get $*"'
fake sudo 'echo "ran sudo"; exec "$@"'
fake id 'echo 1000'
expect "nothing missing: nothing said, nothing run" 0 "!ran" "!martlet:"
fake dpkg-query "printf '%s\n' '${listed//$'\n'/\' \'}' | grep -v -e libssl-dev -e libzstd-dev"
expect "what is missing is named with its reason and installed through sudo" 0 \
  "libssl-dev" "signatures" "libzstd-dev" "ran sudo" "ran apt-get" " update -q" \
  " install -y -q --no-install-recommends libssl-dev libzstd-dev" "!libcurl4"
fake id 'echo 0'
expect "root needs no sudo" 0 " install -y" "!ran sudo"
fake apt-get 'echo "ran apt-get $*"; exit 100'
expect "an installation that fails says so, exit 1" 1 "could not install" "!install -y"
fake id 'echo 1000'
rm "$fakes/sudo"
if ! PATH=/usr/bin:/bin command -v sudo >/dev/null; then
  expect "no root and no sudo: the command to run, exit 2" 2 "Please run as root: apt-get update"
fi

# Python: what is on PATH counts, wherever it comes from.
trial() { PATH=$fakes:/usr/bin:/bin ready "$here" require_python; }
fake id 'echo 0'
fake dpkg-query "echo 'ii bash'"
fake apt-get 'echo "ran apt-get $*"'
fake python3 'exit 0'
expect "a Python that makes environments needs no package" 0 "!ran"
fake python3 'exit 1'
expect "a Python that cannot is completed, and nothing else is installed" 0 \
  "install -y -q --no-install-recommends python3 python3-venv" "!chromium"
rm "$fakes/python3"

# Arrow's libraries: known by the list, fetched once.
arrow=$fakes/arrow
mkdir -p "$arrow/scripts" "$arrow/.deps/arrow" "$arrow/Sources/C/CMartletParquetLibrary"
touch "$arrow/Sources/C/CMartletParquetLibrary/a.cpp"
cp "$here/scripts/requirements-build.txt" "$arrow/scripts/"
trial() { PATH=$fakes:/usr/bin:/bin ready "$arrow" require_arrow; }
fake python3 'echo "ran python3 $*"; exit 1'
expect "libraries that cannot be fetched say so, exit 1" 1 "could not be fetched" "nothing was built" "ran python3 -m venv"
cp "$here/scripts/requirements-build.txt" "$arrow/.deps/arrow/.requirements"
expect "libraries that are there are left alone" 0 "!ran" "!martlet:"
echo "# another" >>"$arrow/scripts/requirements-build.txt"
expect "another list fetches anew" 1 "fetching Arrow" "ran python3 -m venv"
rm "$fakes/python3"

# Staleness, in a checkout of three files.
tree=$fakes/tree
mkdir -p "$tree/.build/release" "$tree/Sources/A" "$tree/scripts" "$tree/.deps/arrow"
touch "$tree/Package.swift" "$tree/scripts/packages.txt" "$tree/Sources/A/a.swift" "$tree/Sources/A/b.swift"
touch "$tree/scripts/requirements-build.txt" "$tree/.deps/arrow/.requirements"
trial() { ready "$tree" is_stale; }
expect "stale without a binary" 0
touch "$tree/.build/release/martlet" && chmod +x "$tree/.build/release/martlet"
expect "stale without a stamp" 0
find "$tree" -exec touch -d '2 days ago' {} +
touch "$tree/.build/.martlet-release"
expect "fresh when the stamp is newer than every source" 1
touch -d '1 day ago' "$tree/.build/.martlet-release"
expect "a change of installed packages asks again, or nothing has changed" \
  "$([ /var/lib/dpkg/status -nt "$tree/.build/.martlet-release" ] && echo 0 || echo 1)"
touch "$tree/.build/.martlet-release"
touch -d '1 minute' "$tree/Sources/A/a.swift"
expect "stale when a source is newer" 0
touch -d '2 days ago' "$tree/Sources/A/a.swift"
rm "$tree/.deps/arrow/.requirements"
expect "stale without Arrow's libraries" 0
touch -d '2 days ago' "$tree/.deps/arrow/.requirements"
rm "$tree/Sources/A/b.swift" && touch -d '1 minute' "$tree/Sources/A"
expect "stale when a source is gone" 0

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
