#!/usr/bin/env bash
# test-programs.sh [engines]: install the programs that the container tests run on the host and that
# are missing here; with the word "engines", those of tests/engines as well. Does nothing where all
# are there.
set -euo pipefail

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Program, and the package of Debian and Ubuntu that has it.
programs=(
    ssh:openssh-client # logs into the target ssh
    npm:npm            # installs the dev container command line
    gcc:gcc            # builds the CUDA runtime that computes nothing (tests/nullcuda)
    docker-registry:docker-registry # releases go into one of the tests' own
)
if [[ ${1-} == engines ]]; then
    programs+=(
        java:default-jre-headless # Spark
        mpirun:openmpi-bin
        munged:munge              # Slurm's
        parallel:parallel
        redis-server:redis-server # keeps the jobs of RQ
        slurmctld:slurm-wlm
    )
fi

lacking=()
for pair in "${programs[@]}"; do
    PATH=$PATH:/usr/sbin command -v "${pair%%:*}" > /dev/null || lacking+=("${pair#*:}")
done
# The C library's headers, which gcc only recommends.
[[ -e /usr/include/stdlib.h ]] || lacking+=(libc6-dev)
((${#lacking[@]})) || exit 0

[[ $EUID -eq 0 ]] || die "missing: ${lacking[*]} (installing needs root)"
command -v apt-get > /dev/null \
    || die "missing: ${lacking[*]} (only Debian and Ubuntu can be set up from here)"
say "installing ${lacking[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    "${lacking[@]}" > /dev/null
