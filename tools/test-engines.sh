#!/usr/bin/env bash
# test-engines.sh [PYTEST-ARGUMENT...]: run the tests that start real engines, such as Dask, on this
# machine. The engines are installed from requirements/engines.txt into .venv-engines, which does
# nothing where it is up to date; torch and NumPy are those of .venv. Needs .venv with the tests'
# tools.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

export SEED_INIT=0

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

readonly uv=.venv/bin/uv venv=.venv-engines lock=requirements/engines.txt

[[ -x $uv ]] || die "no $uv: run tools/venv.sh test first"
wanted=$(sha256sum < "$lock")
if [[ $(cat "$venv/stamp" 2> /dev/null) != "$wanted" ]]; then
    say "making $venv from $lock"
    # The interpreters of the tests are copies of .venv's: a package built for another Python is
    # of no use to them.
    "$uv" venv --quiet --clear --python .venv/bin/python "$venv" || die "$uv cannot make $venv"
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes -r "$lock" \
        || die "installing $lock failed"
    echo "$wanted" > "$venv/stamp"
fi
# One engine at a time: each starts as many processes as the machine has cores.
.venv/bin/python -m pytest -n 0 tests/engines "$@"
