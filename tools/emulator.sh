#!/usr/bin/env bash
# emulator.sh: install qemu-x86_64 of Debian 13 (10.0) in /usr/local/bin, for the tests that imitate
# other CPUs and for benchmarks/portability. The one of Debian 12 (7.2) computes some vector
# functions wrongly. Does nothing where qemu-x86_64 on PATH is new enough.
set -euo pipefail

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=tools/debian.sh
. "$here/debian.sh"

readonly oldest=10
readonly suite=trixie

version=$(qemu-x86_64 --version 2> /dev/null | sed -n 's/^qemu-x86_64 version \([0-9]*\).*/\1/p' || true)
((${version:-0} < oldest)) || exit 0

[[ $EUID -eq 0 ]] || die "qemu-x86_64 $oldest or newer is missing (installing needs root)"
command -v apt-get > /dev/null \
    || die "qemu-x86_64 $oldest or newer is missing (only Debian and Ubuntu can be set up from here)"
say "installing qemu-x86_64 of Debian $suite in /usr/local/bin"
place=$(mktemp -d)
trap 'rm -rf -- "$place"' EXIT
use_suite "$suite" "$place"
(cd -- "$place" && apt_get -c "$place/apt.conf" download qemu-user)
dpkg-deb --extract "$place"/qemu-user_*.deb "$place/package"
install -m 755 "$place/package/usr/bin/qemu-x86_64" /usr/local/bin/qemu-x86_64
qemu-x86_64 --version > /dev/null || die "qemu-x86_64 of Debian $suite does not run here"
