#!/usr/bin/env bash
# Runs lost_words.py with the Python of the test environment; its last line is the count.
cd "$(dirname "$0")" && exec "${MARTLET_PYTHON:-../../.venv/bin/python}" lost_words.py
