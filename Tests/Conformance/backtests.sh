#!/usr/bin/env bash
# Runs backtests.py with the Python of the test environment; its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" backtests.py
