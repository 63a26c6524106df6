#!/usr/bin/env bash
# Runs soak.py with the Python of the test environment: two hours with MARTLET_LONG=1, a minute without, or as the
# arguments say. Its last line is the count.
cd "$(dirname "$0")" || exit 2
[ $# -gt 0 ] || set -- --minutes $((${MARTLET_LONG-0} == 1 ? 120 : 1))
exec "${MARTLET_PYTHON:-../../.venv/bin/python}" soak.py "$@"
