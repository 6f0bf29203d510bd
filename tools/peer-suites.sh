#!/usr/bin/env bash
# peer-suites.sh [PYTORCH]: bring the tests of others that no installed package has into
# .cache/peers, where `make test-peers` finds them: what this Python's own package `test` lacks of
# CPython's (from Debian's libpython3.11-testsuite), and with PYTORCH those of the pinned PyTorch
# (from Debian's source package, 27 MB). Does nothing where they are there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

say() { printf 'peer-suites: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/debian.sh
source tools/debian.sh
# shellcheck source=versions.env
source ./versions.env

readonly place=.cache/peers
readonly cpython_suite=bookworm cpython_package=libpython3.11-testsuite
readonly pytorch_suite=trixie pytorch_version=$PINNED_TORCH
# What PyTorch's tests import and torch does not need (torch/testing/_internal/common_utils.py).
readonly pytorch_needs=(expecttest==0.3.0)

fetch_cpython() (
    say "fetching CPython's tests from Debian's $cpython_package"
    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    use_suite "$cpython_suite" "$scratch"
    (cd -- "$scratch" && apt_get download "$cpython_package" -c "$scratch/apt.conf")
    dpkg -x "$scratch/$cpython_package"_*.deb "$scratch/unpacked"
    mkdir -p -- "$place"
    rm -rf -- "$place/cpython"
    mv -- "$scratch/unpacked/usr/lib/python3.11/test" "$place/cpython"
)

fetch_pytorch() (
    say "fetching PyTorch $pytorch_version's tests from Debian's source package"
    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    use_suite "$pytorch_suite" "$scratch"
    (cd -- "$scratch" && apt_get source --download-only pytorch -c "$scratch/apt.conf")
    archive=$(compgen -G "$scratch/pytorch_$pytorch_version+*.orig.tar.xz") \
        || die "Debian $pytorch_suite has no pytorch $pytorch_version any more"
    mkdir -- "$scratch/unpacked"
    tar -xf "$archive" -C "$scratch/unpacked" --strip-components=1 --wildcards '*/test/*'
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps \
        --target "$scratch/unpacked/packages" "${pytorch_needs[@]}" \
        || die "installing ${pytorch_needs[*]} failed"
    mkdir -p -- "$place"
    rm -rf -- "$place/pytorch"
    mv -- "$scratch/unpacked" "$place/pytorch"
)

main() {
    [[ $# -le 1 && ${1:-PYTORCH} == PYTORCH ]] || die 'usage: peer-suites.sh [PYTORCH]'
    local wanted=() name
    # All files of CPython's tests are there, or some were left out (3.11.7 leaves out these).
    .venv/bin/python -c 'import test.test_concurrent_futures' 2> /dev/null || wanted+=(cpython)
    [[ ${1:-} != PYTORCH ]] || wanted+=(pytorch)
    for name in "${wanted[@]}"; do
        if [[ ! -d $place/$name ]]; then
            command -v apt-get > /dev/null || die "the tests of $name are fetched from Debian, by apt-get"
            [[ $EUID -eq 0 ]] || die "fetching the tests of $name needs root, for apt-get"
            "fetch_$name"
        fi
    done
}

main "$@"
