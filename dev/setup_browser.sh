#!/usr/bin/env bash
# Install Chromium and its driver from Debian's packages, for the tests of the page in a browser. Does nothing if they
# are installed; if this user or machine cannot install them, prints what is missing and succeeds.
set -uo pipefail
say() { echo "setup: $*" >&2; }

if command -v chromium > /dev/null && command -v chromedriver > /dev/null; then
  exit 0
fi
if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  say "no Chromium here, and no root with apt to install it: the page's browser tests will be skipped." \
    "On Debian: sudo apt-get install chromium chromium-driver"
  exit 0
fi
say "installing Chromium for the page's tests"
export DEBIAN_FRONTEND=noninteractive
lock=(-o DPkg::Lock::Timeout=120)
{ apt-get "${lock[@]}" update && apt-get "${lock[@]}" install -y --no-install-recommends chromium chromium-driver; } > /dev/null 2>&1 ||
  say "apt could not install chromium and chromium-driver: the page's browser tests will be skipped"
exit 0
