#!/usr/bin/env bash
# Runs data_commands.py with the Python of the test environment; its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" data_commands.py "$@"
