#!/usr/bin/env bash
# Runs going_live.py with the Python of the test environment; its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" going_live.py
