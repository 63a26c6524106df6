#!/usr/bin/env bash
# Runs cuts.py with the Python of the test environment: a hundred cuts and five deaths, of four bots at once or, with
# MARTLET_LONG=1, of one; or as the arguments say. Its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" cuts.py "$@"
