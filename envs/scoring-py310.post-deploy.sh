#!/usr/bin/env bash
# Runs once in the conda environment of scoring-py310.yaml, after it is made.
set -euo pipefail
python -m pip install --no-deps latex2sympy2_extended==1.11.0
