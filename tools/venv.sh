#!/usr/bin/env bash
# venv.sh [local|test]: bring .venv up to date: the image's pinned packages and torch for
# `local` (make train and make notebook without Docker), and the tools of `make test` on top
# for `test`. Does nothing where it is up to date.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The hook that a former run installed has no business in here.
export SEED_INIT=0

readonly torch=2.6.0
readonly cpu_index=https://download.pytorch.org/whl/cpu

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# 3.11 is the image's; the locks hold for 3.10 to 3.13, torch 2.6.0 has wheels for these.
find_python() {
    local python
    for python in ${PYTHON:-python3.11 python3.12 python3.13 python3.10 python3}; do
        if "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2> /dev/null; then
            command -v "$python"
            return
        fi
    done
    die "no Python 3.10 to 3.13 found${PYTHON:+ as PYTHON=$PYTHON}; install python3.11 and run this again"
}

make_venv() {
    local python
    python=$(find_python)
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv > /dev/null \
        || die "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
}

has_gpu() { nvidia-smi --list-gpus 2> /dev/null | grep -q GPU; }

answers() {
    .venv/bin/python - "$1/" 2> /dev/null <<'PYTHON'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5).read(1)
PYTHON
}

has_cpu_torch() { .venv/bin/python -c 'import sys, torch; sys.exit(bool(torch.version.cuda))'; }

pip_install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --no-warn-script-location --no-deps "$@" 2> "$log" \
        || die "pip install failed: $(grep -m 1 ERROR "$log" || tail -n 1 "$log")"
}

install_torch() {
    if has_gpu; then
        say "installing torch $torch for CUDA from the package index (a GPU is here)"
    elif answers "$cpu_index"; then
        say "installing torch $torch for the CPU from PyTorch's index (no GPU here)"
        pip_install --index-url "$cpu_index" "torch==$torch"
        pip_install --require-hashes -r requirements/torch-cpu.txt
        return
    else
        say "installing torch $torch from the package index, 5 GB (no GPU here, but PyTorch's index does not answer)"
    fi
    pip_install --require-hashes -r requirements/torch.txt
}

# stamped NAME FILE...: NAME was installed from these very files.
stamped() { [[ $(cat ".venv/$1.stamp" 2> /dev/null) == "$(cat "${@:2}" | sha256sum)" ]]; }
stamp() { cat "${@:2}" | sha256sum > ".venv/$1.stamp"; }

main() {
    local purpose=${1:-local}
    [[ $purpose == local || $purpose == test ]] || die 'usage: venv.sh [local|test]'
    local wanted=(requirements/notebook.txt)
    [[ $purpose == test ]] && wanted+=(requirements/test.txt)
    log=$(mktemp)
    trap 'rm -f -- "$log"' EXIT

    .venv/bin/python -c '' 2> /dev/null || make_venv
    if ! stamped torch requirements/torch.txt; then
        install_torch
        stamp torch requirements/torch.txt
    fi
    local lock
    for lock in "${wanted[@]}"; do
        if ! stamped "$(basename "$lock")" "$lock"; then
            say "installing $lock"
            # torchvision loads only with a torch of the same kind.
            if [[ $lock == */test.txt ]] && has_cpu_torch; then
                pip_install --index-url "$cpu_index" "$(grep -oE '^torchvision==[0-9.]+' "$lock")"
            fi
            pip_install --require-hashes -r "$lock"
            stamp "$(basename "$lock")" "$lock"
        fi
    done
    if [[ $purpose == local ]]; then
        install_hook
    fi
}

# The image's hook and the image's defaults, so that a job here is seeded as it is there.
install_hook() {
    .venv/bin/python seed_init install > "$log" || die "$(tail -n 1 "$log")"
    if [[ ! -e .venv/etc/seed_init/defaults ]]; then
        mkdir -p .venv/etc/seed_init
        cp image/defaults .venv/etc/seed_init/defaults
    fi
    mkdir -p .venv/etc/ipython .venv/etc/jupyter/labconfig
    cp image/ipython_config.py .venv/etc/ipython/
    cp image/page_config.json image/default_setting_overrides.json .venv/etc/jupyter/labconfig/
}

main "$@"
