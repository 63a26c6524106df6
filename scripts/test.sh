#!/usr/bin/env bash
# The tests that gate every change. Run as `./martlet test`; see --help below.
# Ends with exactly one line, `N passed, N failed, N skipped`, and exits 1 unless nothing failed.
set -uo pipefail
root=$(cd -P "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root"
# shellcheck source=scripts/ready.sh
. "$root/scripts/ready.sh"

usage() {
  cat <<'TEXT'
usage: ./martlet test [--long] [--only STEP]

  --long       adds soak, enumeration and the full chaos run
  --only STEP  one of: format secrets scripts swift acceptance release binary docs conformance demo

In CI (CI=true) a program, server or package index that is missing is a failure; elsewhere it is a skip,
with its reason. What no set-up can bring (recordings outside this clone, a right of the machine) is a skip
everywhere.
example: ./martlet test --only swift
TEXT
}

steps="format secrets scripts swift acceptance release binary docs conformance demo"
only=""
while [ $# -gt 0 ]; do
  case $1 in
    --long) export MARTLET_LONG=1 ;;
    --only)
      only=${2-}
      case " $steps " in
        *" ${only:-none} "*) shift ;;
        *)
          echo "martlet test: --only is \"$only\"; expected one of: $steps" >&2
          exit 2
          ;;
      esac
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      echo "martlet test: unknown argument \"$1\"; expected --long or --only STEP" >&2
      exit 2
      ;;
  esac
  shift
done

logs=$root/.build/test-logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
tally() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
pass() { tally 1 0 0; echo "ok    $1"; }
fail() { tally 0 1 0; echo "FAIL  $1${2:+: $2}"; }
# Reasons for a skip that hold in CI too: no set-up can bring what they miss.
beyond_setup='\.\./shared/|needs the right to '
# unexcused LOG SKIPPED: how many of a log's skips are failures here; one without a reason has no excuse.
unexcused() {
  [ "${CI-}" = true ] || { echo 0; return; }
  local excused
  excused=$(grep -iE '^ *skip' "$1" | grep -cE "$beyond_setup")
  echo $(($2 > excused ? $2 - excused : 0))
}
skip() {
  if [ "${CI-}" = true ]; then
    fail "$1" "$2 (in CI nothing may be missing)"
  else
    tally 0 0 1
    echo "skip  $1: $2"
  fi
}
# limited SECONDS COMMAND...: runs it with a time limit. In a process group of its own, so that what it has
# started ends with it and meets nothing that comes later; waited for, so that Ctrl-C acts at once.
running=""
limited() {
  local seconds=$1 code=0
  shift
  set -m
  timeout --kill-after=20 "$seconds" "$@" </dev/null 3>&- &
  running=$!
  set +m
  wait "$running" || code=$?
  kill -- "-$running" 2>/dev/null
  running=""
  return $code
}
lanes=()
stop() {
  trap - INT TERM
  [ -n "$running" ] && kill "$running" 2>/dev/null && wait "$running"
  [ ${#lanes[@]} -gt 0 ] && kill "${lanes[@]}" 2>/dev/null && wait "${lanes[@]}"
  echo "interrupted after $passed passed, $failed failed, $skipped skipped" >&3
  exit 130
}
exec 3>&2  # A step's output goes to its log; what is said on Ctrl-C does not.
trap stop INT TERM
# check NAME SECONDS COMMAND...: one check, its output in a log that is shown when it fails.
check() {
  local name=$1 seconds=$2 log=$logs/${1//[ \/]/-}.log began=$SECONDS
  shift 2
  if limited "$seconds" "$@" >"$log" 2>&1; then
    pass "$name ($((SECONDS - began)) s)"
  else
    local code=$?
    tail -n 40 "$log" | sed 's/^/      /'
    fail "$name" "exit $code after $((SECONDS - began)) s; all of it in ${log#"$root"/}"
    return 1
  fi
}
# lane SECONDS SCRIPT...: runs those conformance scripts that no other lane has taken, one after another, each into its log; its exit
# code and its seconds go beside that.
lane() {
  local seconds=$1 script log began code
  shift
  trap 'trap - TERM; [ -n "$running" ] && kill "$running" 2>/dev/null && wait "$running"; exit 130' TERM
  for script in "$@"; do
    log=$(script_log "$script")
    mkdir "$log.taken" 2>/dev/null || continue
    began=$SECONDS code=0
    limited "$seconds" "$script" >"$log" 2>&1 || code=$?
    echo "$code $((SECONDS - began))" >"$log.taken/new"
    mv "$log.taken/new" "$log.taken/ended"
  done
}
script_log() { echo "$logs/conformance-$(basename "$1" .sh).log"; }
# summed NAME LOG CODE [SECONDS]: adds the last `N passed, N failed, N skipped` line of a log.
summed() {
  local name=$1 log=$2 code=$3 took=${4-} line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
  if [ -z "$line" ]; then
    tail -n 40 "$log" | sed 's/^/      /'
    fail "$name" "exit $code and no line \`N passed, N failed, N skipped\`; all of it in ${log#"$root"/}"
    return
  fi
  # shellcheck disable=SC2086
  set -- ${line//[!0-9 ]/}
  local p=$1 f=$2 s=${3-0}
  if [ "$f" -gt 0 ] || [ "$code" -ne 0 ]; then
    tail -n 40 "$log" | sed 's/^/      /'
    [ "$f" -eq 0 ] && f=1
  fi
  grep -iE '^ *skip' "$log" | sed 's/^ */      /'
  local bad
  bad=$(unexcused "$log" "$s")
  if [ "$bad" -gt 0 ]; then
    echo "FAIL  $name: $bad skipped, and in CI nothing may be missing"
    f=$((f + bad)) s=$((s - bad))
  fi
  tally "$p" "$f" "$s"
  echo "$([ "$f" -eq 0 ] && echo 'ok   ' || echo FAIL) $name: $p passed, $f failed, $s skipped${took:+ ($took s)}"
}
wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

step_format() { check "format" 300 swift format lint --strict --recursive Package.swift Sources Tests; }

step_secrets() {
  check "secret scan finds a planted secret" 60 python3 scripts/secret_scan.py --self-test
  check "no secret in the sources" 120 python3 scripts/secret_scan.py
}

step_scripts() {
  local script bad=0
  for script in martlet .ci/run scripts/*.sh Tests/Conformance/*.sh; do
    [ -e "$script" ] && { bash -n "$script" || bad=1; }
  done
  [ $bad -eq 0 ] && pass "shell scripts parse" || fail "shell scripts parse"
  check "python scripts compile" 60 python3 -c '
import ast, glob
for name in glob.glob("scripts/**/*.py", recursive=True) + glob.glob("Tests/Conformance/**/*.py", recursive=True):
    ast.parse(open(name).read(), name)'
  local code=0
  limited 120 scripts/launcher_test.sh >"$logs/launcher.log" 2>&1 || code=$?
  summed "launcher" "$logs/launcher.log" $code
  code=0
  limited 120 python3 scripts/verify_test.py >"$logs/verify-test.log" 2>&1 || code=$?
  summed "what verify concludes" "$logs/verify-test.log" $code
}

# Other people's Python clients; what happened is in venv.log.
make_clients() { make_venv >"$logs/venv.log" 2>&1; }

step_swift() {
  check "debug build" 1500 swift build --build-tests "${import_check[@]}" || return
  if grep -q 'warning: ' "$logs/debug-build.log"; then
    grep 'warning: ' "$logs/debug-build.log" | sort -u | sed 's/^/      /'
    fail "no warnings in the debug build"
  else
    pass "no warnings in the debug build"
  fi
  make_clients  # Some tests speak with them; without them those skip, and say so.
  local events=$logs/swift-events.json log=$logs/swift-test.log code=0 counted
  rm -f "$events"
  limited 1800 swift test --skip-build "${import_check[@]}" \
    --event-stream-output-path "$events" >"$log" 2>&1 || code=$?
  counted=$logs/swift-counted.log
  python3 scripts/swift_results.py "$events" "$code" >"$counted" 2>&1
  grep -vE '^[0-9]+ passed, ' "$counted"
  # A run that died says why in its own log.
  grep -qE 'ended early|without naming' "$counted" && tail -n 15 "$log" | sed 's/^/      /'
  local line p f s bad
  line=$(tail -n 1 "$counted")
  read -r p f s <<<"$(sed 's/[^0-9 ]//g' <<<"$line" | tr -s ' ')"
  bad=$(unexcused "$counted" "${s:-0}")
  if [ "$bad" -gt 0 ]; then
    echo "FAIL  swift test: $bad skipped, and in CI nothing may be missing"
    f=$((f + bad)) s=$((s - bad))
  fi
  tally "${p:-0}" "${f:-1}" "${s:-0}"
  echo "$([ "${f:-1}" -eq 0 ] && echo 'ok   ' || echo FAIL) swift test: ${p:-0} passed, ${f:-1} failed, ${s:-0} skipped"
}

step_acceptance() {
  check "Docs/Acceptance.md is what the tests say" 60 python3 scripts/acceptance.py --check
  check "a row is proved with its evidence" 1800 ./martlet verify C12 T14
}

release_is_built=""
need_release() {
  [ -n "$release_is_built" ] && return 0
  if ! is_stale; then
    pass "release build (fresh)"
  else
    check "release build" 1500 bash -c 'root=$1; . "$root/scripts/ready.sh"; refresh_release' _ "$root" || return 1
    if grep -q 'warning: ' "$logs/release-build.log"; then
      fail "no warnings in the release build"
    else
      pass "no warnings in the release build"
    fi
  fi
  release_is_built=1
}
step_release() { need_release; }

step_binary() {
  need_release || return
  check "no secret in the binary" 120 python3 scripts/secret_scan.py --binary .build/release/martlet
}

step_docs() {
  need_release || return
  local log=$logs/docs.log code=0
  limited 900 python3 scripts/doc_commands.py >"$log" 2>&1 || code=$?
  summed "commands in the documentation" "$log" $code
}

# Measures and floods have the machine to themselves; the others mostly wait for timers, and do that at the same time.
# With --long so do the soaks and the days of chaos: what takes an hour or two takes it once.
alone_scripts="bench_allocations burst"
first_scripts="soak steady chaos"
[ "${MARTLET_LONG-0}" == 1 ] || alone_scripts="$alone_scripts chaos soak steady" first_scripts=""
step_conformance() {
  local script any=""
  for script in Tests/Conformance/*.sh; do [ -x "$script" ] && any=1; done
  [ -n "$any" ] || { skip "conformance" "Tests/Conformance has no executable script"; return; }
  need_release || return
  if ! make_clients; then
    tail -n 5 "$logs/venv.log" | sed 's/^/      /'
    skip "conformance" "the Python environment could not be made; see .build/test-logs/venv.log"
    return
  fi
  local alone=() beside=()
  for script in $first_scripts; do beside+=("Tests/Conformance/$script.sh"); done
  for script in Tests/Conformance/*.sh; do
    [ -x "$script" ] || continue
    rm -rf "$(script_log "$script").taken"
    case " $alone_scripts $first_scripts " in
      *" $(basename "$script" .sh) "*) ;;
      *) beside+=("$script") ;;
    esac
    case " $alone_scripts " in *" $(basename "$script" .sh) "*) alone+=("$script") ;; esac
  done
  run_lanes 1 "${alone[@]}"
  run_lanes $((${MARTLET_LONG-0} == 1 ? 5 : 3)) "${beside[@]}"
}
# run_lanes COUNT SCRIPT...: runs conformance scripts, so many at a time, and adds what they count.
run_lanes() {
  local count=$1 script log code took
  shift
  # With --long the soak takes two hours, days and deaths of chaos the half of one on an idle machine.
  local seconds=$((${MARTLET_LONG-0} == 1 ? 10800 : 600))
  # In process groups of their own: what a shell has beside it without one is deaf to SIGINT.
  set -m
  while [ ${#lanes[@]} -lt "$count" ]; do lane "$seconds" "$@" & lanes+=($!); done
  set +m
  # Told as each ends: what takes longest may have begun first.
  local left=("$@") still
  while [ ${#left[@]} -gt 0 ]; do
    still=()
    for script in "${left[@]}"; do
      log=$(script_log "$script")
      if [ -e "$log.taken/ended" ]; then
        read -r code took <"$log.taken/ended"
        summed "conformance: $(basename "$script" .sh)" "$log" "$code" "$took"
      elif kill -0 "${lanes[@]}" 2>/dev/null; then
        still+=("$script")
      else
        # No lane is left to end it, unless one just has.
        code=1 took=0
        [ -e "$log.taken/ended" ] && read -r code took <"$log.taken/ended"
        summed "conformance: $(basename "$script" .sh)" "$log" "$code" "$took"
      fi
    done
    left=("${still[@]}")
    [ ${#left[@]} -eq 0 ] || sleep 0.5
  done
  wait "${lanes[@]}"
  lanes=()
  for script in "$@"; do rm -rf "$(script_log "$script").taken"; done
}

step_demo() {
  need_release || return
  local log=$logs/demo.log
  if limited 90 ./martlet demo --for 20s --json >"$log" 2>"$logs/demo-errors.log"; then
    if tail -n 1 "$log" | python3 -c '
import json, sys
summary = json.loads(sys.stdin.readline())
missing = {"fills", "reconciled", "realized", "unrealized", "fees", "journal", "frame_to_order_us"} - set(summary)
sys.exit(f"no {sorted(missing)} in the last line" if missing else
         0 if summary["reconciled"] is True else "the ledgers differ")' >"$logs/demo-summary.log" 2>&1; then
      pass "demo for 20 s"
    else
      fail "demo for 20 s" "$(tail -n 1 "$logs/demo-summary.log")"
    fi
  else
    local code=$?
    tail -n 20 "$logs/demo-errors.log" | sed 's/^/      /'
    fail "demo for 20 s" "exit $code"
  fi
}

# What the steps asked for need. In a subshell: a set-up that fails must still end with a count.
set_up() (
  require_swift
  require_python
  require_packages build "$(wanted swift && echo test)"
  require_arrow
)
set_up || {
  code=$?
  echo "FAIL  set-up; see above"
  echo "0 passed, 1 failed, 0 skipped"
  exit $code
}
for step in $steps; do
  wanted "$step" && "step_$step"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
