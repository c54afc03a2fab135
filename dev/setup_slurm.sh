#!/usr/bin/env bash
# Install SLURM with accounting from Debian's packages, for the tests of the SLURM profile on their own cluster. Does
# nothing if it is installed; if this user or machine cannot install it, prints what is missing and succeeds: the tests
# then fail with the same message. tests/slurm/cluster.py configures and starts the daemons.
set -uo pipefail
say() { echo "setup: $*" >&2; }
packages=(slurm-wlm slurmdbd munge mariadb-server)
export PATH=$PATH:/usr/sbin:/sbin

missing=
for program in slurmctld slurmd slurmdbd munged mariadbd; do
  command -v "$program" > /dev/null || missing+=" $program"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  say "no SLURM here (missing:$missing), and no root with apt to install it: tests marked slurm will fail." \
    "On Debian: sudo apt-get install ${packages[*]}"
  exit 0
fi
say "installing SLURM for the tests of its profile"
# The packages must not start daemons of their own.
denied=0
[ -e /usr/sbin/policy-rc.d ] || { denied=1; printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
export DEBIAN_FRONTEND=noninteractive
lock=(-o DPkg::Lock::Timeout=120)
{ apt-get "${lock[@]}" update && apt-get "${lock[@]}" install -y --no-install-recommends "${packages[@]}"; } > /dev/null 2>&1 ||
  say "apt could not install ${packages[*]}: tests marked slurm will fail"
[ "$denied" = 0 ] || rm -f /usr/sbin/policy-rc.d
exit 0
