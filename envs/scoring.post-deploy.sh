#!/usr/bin/env bash
# Runs once in the conda environment of scoring.yaml, after it is made.
set -euo pipefail
python -m pip install --no-deps --ignore-requires-python skythought==0.1.0 latex2sympy2_extended==1.11.0
