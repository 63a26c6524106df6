#!/usr/bin/env bash
# Runs cuts.py with the Python of the test environment: a hundred cuts and five deaths with MARTLET_LONG=1, a
# few of them without, or as the arguments say. Its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" cuts.py "$@"
