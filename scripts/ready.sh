# Shared by `martlet` and the scripts: what must be there before Martlet runs. Sourced, with `root` set.
# Everything said here goes to standard error: standard output belongs to the command.

stamp=$root/.build/.martlet-release
packages_list=$root/scripts/packages.txt
arrow_list=$root/scripts/requirements-build.txt
arrow_mark=$root/.deps/arrow/.requirements
swift_wanted=6.3
import_check=(--explicit-target-dependency-import-check error)
release_flags=(-c release -Xswiftc -cross-module-optimization "${import_check[@]}")

say() { printf 'martlet: %s\n' "$*" >&2; }

# Whether the release binary is missing, or older than a source, the package list, or the last change
# of installed packages. Folders count too: deleting a file touches its folder. Costs a few ms.
is_stale() {
  [ -x "$root/.build/release/martlet" ] && [ -e "$stamp" ] || return 0
  [ /var/lib/dpkg/status -nt "$stamp" ] && return 0
  [ -e "$arrow_mark" ] || return 0
  [ -n "$(find "$root/Sources" "$root/Package.swift" "$packages_list" "$arrow_list" -newer "$stamp" -print -quit)" ]
}

require_swift() {
  local found="" how
  how="Install it with swiftly (https://www.swift.org/install/linux/): \`swiftly install $swift_wanted\`, or unpack
the Debian 12 toolchain from https://www.swift.org/download/ and put its usr/bin on PATH."
  if ! command -v swift >/dev/null 2>&1; then
    say "Swift $swift_wanted or newer is needed, and no \`swift\` is on PATH."
    say "$how"
    exit 2
  fi
  found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
  if [ -z "$found" ] || [ "$(printf '%s\n%s\n' "$swift_wanted" "$found" | sort -V | head -n 1)" != "$swift_wanted" ]; then
    say "Swift $swift_wanted or newer is needed; $(command -v swift) is ${found:-of an unknown version}."
    say "$how"
    exit 2
  fi
}

# Installs what the list names for the given uses (build, test, python) and is not installed yet.
require_packages() {
  local missing=() use name why line
  if ! command -v dpkg-query >/dev/null 2>&1; then
    say "this is no Debian, so packages are not checked; $packages_list names what the build needs"
    return 0
  fi
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p')
  while read -r use name why; do
    case $use in '' | '#'*) continue ;; esac
    case " $* " in *" $use "*) ;; *) continue ;; esac
    grep -qxF "$name" <<<"$installed" && continue
    [ ${#missing[@]} -eq 0 ] && say "Debian packages to install, once:"
    printf '  %-22s %s\n' "$name" "$why" >&2
    missing+=("$name")
  done <"$packages_list"
  [ ${#missing[@]} -eq 0 ] && return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      say "this needs root, once. Please run as root: apt-get update && apt-get install -y ${missing[*]}"
      exit 2
    fi
    as_root=(sudo)
  fi
  # Another apt-get may hold the lock, and a mirror may stumble; neither may hang the set-up. sudo asks
  # on the terminal, so the time limit must leave it in the foreground.
  local limited=(timeout --foreground 900 "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get
    -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
  if ! { "${limited[@]}" update -q &&
    "${limited[@]}" install -y -q --no-install-recommends "${missing[@]}"; } >&2; then
    say "apt-get could not install: ${missing[*]}. See above; nothing was built."
    exit 1
  fi
}

# A Python that can make environments of its own: the one on PATH, or else Debian's.
require_python() {
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || require_packages python
}

# Other people's clients in an own Python environment, made again when the list changes or an attempt
# was cut short. A subshell: what is missing here ends this step and not the caller.
make_venv() (
  list=$root/scripts/requirements-test.txt mark=$root/.venv/.requirements
  [ -e "$mark" ] && cmp -s "$list" "$mark" && return 0
  require_python
  rm -rf "$root/.venv"
  python3 -m venv "$root/.venv" || return 1
  timeout 600 "$root/.venv/bin/pip" install --quiet --disable-pip-version-check --retries 3 -r "$list" || return 1
  cp "$list" "$mark"
)

# Arrow's headers and libraries in .deps/arrow, fetched again when the list changes or an attempt was cut
# short. Whichever Python runs this, it is one wheel for each kind of machine, known by its digest. A
# subshell: what is missing here ends this step and not the caller.
require_arrow() (
  [ -e "$arrow_mark" ] && cmp -s "$arrow_list" "$arrow_mark" && return 0
  require_python
  say "fetching Arrow's libraries, once (some 55 MB)"
  mkdir -p "$root/.deps"
  work=$(mktemp -d "$root/.deps/arrow.XXXXXX") || return 1
  trap 'rm -rf "$work"' EXIT
  if ! { python3 -m venv "$work/python" &&
    timeout 600 "$work/python/bin/pip" download --quiet --disable-pip-version-check --retries 3 --no-deps \
      --require-hashes --only-binary=:all: --platform "manylinux_2_28_$(uname -m)" --python-version 3.11 \
      --implementation cp --abi cp311 --dest "$work" -r "$arrow_list" &&
    python3 - "$work" <<'PYTHON'
import glob, os, sys, zipfile

work = sys.argv[1]
for folder in ("arrow/lib", "arrow/include"):
    os.makedirs(f"{work}/{folder}")
with zipfile.ZipFile(glob.glob(f"{work}/*.whl")[0]) as wheel:
    for name in wheel.namelist():
        folder, _, rest = name.partition("/")
        is_library = rest.startswith(("libarrow.so.", "libparquet.so."))
        if folder != "pyarrow" or not (is_library or rest.startswith("include/")) or name.endswith("/"):
            continue
        path = f"{work}/arrow/{'lib/' if is_library else ''}{rest}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(wheel.read(name))
PYTHON
  } >&2; then
    say "Arrow's libraries could not be fetched: see above. $arrow_list names the wheel; nothing was built."
    exit 1
  fi
  rm -rf "$root/.deps/arrow"
  mv "$work/arrow" "$root/.deps/arrow"
  # Compiled without its headers before, it must be compiled anew.
  touch "$root"/Sources/C/CMartletParquetLibrary/*.cpp
  cp "$arrow_list" "$arrow_mark"
)

# Brings the release binary up to date; costs a few ms when it is.
refresh_release() {
  is_stale || return 0
  require_swift
  require_packages build
  require_arrow || exit
  build_release
}

# Builds the release binary. The stamp carries the time before the build, so that a file saved while
# it runs counts as newer; it is put in place only when the build has succeeded.
build_release() {
  mkdir -p "$root/.build"
  local before=$stamp.$$
  : >"$before"
  say "building the release binary (some minutes the first time)"
  if ! (cd "$root" && swift build "${release_flags[@]}" --product martlet &&
    swift build "${release_flags[@]}" --product MartletParquet) >&2; then
    rm -f "$before"
    say "the build failed; see above"
    exit 1
  fi
  mv -f "$before" "$stamp"
}
