#!/usr/bin/env bash
# Runs steady.py with the Python of the test environment: an hour with MARTLET_LONG=1, a minute without, or as the
# arguments say. Its last line is the count.
cd "$(dirname "$0")" || exit 2
[ $# -gt 0 ] || set -- --minutes $((${MARTLET_LONG-0} == 1 ? 62 : 1))
exec "${MARTLET_PYTHON:-../../.venv/bin/python}" steady.py "$@"
