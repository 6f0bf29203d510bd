#!/usr/bin/env bash
# test-programs.sh: install the programs that the container tests run on the host and that are
# missing here. Does nothing where all are there.
set -euo pipefail

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Program, and the package of Debian and Ubuntu that has it.
readonly programs=(
    ssh:openssh-client # logs into the target ssh
    npm:npm            # installs the dev container command line
    gcc:gcc            # builds the CUDA runtime that computes nothing (tests/nullcuda)
)

lacking=()
for pair in "${programs[@]}"; do
    command -v "${pair%%:*}" > /dev/null || lacking+=("${pair#*:}")
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
