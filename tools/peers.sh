#!/usr/bin/env bash
# peers.sh: make .venv-peers, in which benchmarks/cost finds torch and the libraries that seed_init
# is measured against. Does nothing where it is up to date. Needs .venv with the tests' tools.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

readonly uv=.venv/bin/uv venv=.venv-peers locks=(requirements/torch.txt requirements/peers.txt)

[[ -x $uv ]] || die "no $uv: run tools/venv.sh test first"
wanted=$(cat "${locks[@]}" | sha256sum)
[[ $(cat "$venv/stamp" 2> /dev/null) != "$wanted" ]] || exit 0

say "making $venv from ${locks[*]} (6 GB)"
# The interpreters of the benchmark are copies of .venv's: a package built for another Python is
# of no use to them.
"$uv" venv --quiet --clear --python .venv/bin/python "$venv" || die "$uv cannot make $venv"
for lock in "${locks[@]}"; do
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes -r "$lock" \
        || die "installing $lock failed"
done
echo "$wanted" > "$venv/stamp"
