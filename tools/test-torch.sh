#!/usr/bin/env bash
# test-torch.sh VERSION [PYTEST-ARGUMENT...]: run the tests that import torch, of tests/hook and
# tests/nullcuda, with another torch: VERSION as the package index has it, or `newest`. The torch is
# installed into .venv-torch-VERSION without NVIDIA's libraries, 2 GB instead of 7: the runtime of
# tests/nullcuda takes their place. Fails where a test fails; names what was not run, and why.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

export SEED_INIT=0
readonly locks=(requirements/notebook.txt requirements/test.txt)

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

version=${1:-}
[[ $version =~ ^(newest|[0-9]+\.[0-9]+\.[0-9]+)$ ]] \
    || die "VERSION=$version is no release of torch; give make test-torch VERSION=2.9.1 or VERSION=newest"
readonly venv=.venv-torch-$version

# The hook installs for 3.10 and newer; 3.11 is the image's.
find_python() {
    local python
    for python in ${PYTHON:-python3.11 python3.12 python3.13 python3.10 python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 10))' 2> /dev/null; then
            command -v "$python"
            return
        fi
    done
    die "no Python from 3.10 on found${PYTHON:+ as PYTHON=$PYTHON}; install python3.11 and run this again"
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-warn-script-location --no-compile "$@" > "$log" 2>&1 || die "pip: $(grep -m 1 ERROR "$log" || tail -n 1 "$log")"
}

installed() {
    "$venv/bin/python" -c "import importlib.metadata as m; print(m.version('torch'))" 2> /dev/null || true
}

log=$(mktemp)
trap 'rm -f -- "$log"' EXIT

if ! "$venv/bin/python" -c '' 2> /dev/null; then
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" > "$log" 2>&1 || die "$(tail -n 1 "$log")"
fi

# `newest` asks each time what the index has by now.
before=$(installed)
if [[ $version == newest ]]; then
    say 'asking the package index for the newest torch'
    pip_install --no-deps --upgrade torch
elif [[ -z $before ]]; then
    say "installing torch $version"
    pip_install --no-deps "torch==$version"
fi
torch=$(installed)
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# What the stamp names has led to this venv; anything else leads to another one.
stamp=$(cat tools/torch_requirements.py tests/nullcuda/runtime/* tests/nullcuda/runtime/include/*/* \
    "${locks[@]}" 2> /dev/null | sha256sum; echo "$torch")
if [[ $(cat "$venv/stamp" 2> /dev/null) != "$stamp" ]]; then
    say "installing what torch $torch and the tests need"
    mapfile -t own < <("$venv/bin/python" tools/torch_requirements.py own "$site")
    "$venv/bin/python" tools/torch_requirements.py locked "${locks[@]}" > "$venv/lock.txt"
    pip_install --no-deps --require-hashes -r "$venv/lock.txt"
    pip_install "${own[@]}"
    "$venv/bin/python" tests/nullcuda/runtime/build.py "$venv/null-cuda" --site-packages "$site" --complete
    echo "$stamp" > "$venv/stamp"
fi

facts=$("$venv/bin/python" -c '
import platform, torch
print(f"torch {torch.__version__}, Python {platform.python_version()}")')
say "testing with $facts"
status=0
"$venv/bin/python" -m pytest -m torch "${@:2}" tests/hook tests/nullcuda || status=$?

say "that was $facts. Not run:"
"$venv/bin/python" tools/torch_requirements.py left-out \
    | sed 's/^/seed-init:   tests that need /' >&2
say '  tests of tests/hook that import no torch: make test runs them'
say '  what "SKIPPED" names above, with its reason'
exit "$status"
