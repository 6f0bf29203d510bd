#!/usr/bin/env bash
# cosign.sh: install cosign of Debian 13 in /usr/local/bin, for the tests that sign images. Debian 12 has
# none. Does nothing where cosign is on PATH.
set -euo pipefail

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=tools/debian.sh
. "$here/debian.sh"

readonly suite=trixie

! command -v cosign > /dev/null || exit 0

[[ $EUID -eq 0 ]] || die 'cosign is missing (installing needs root)'
command -v apt-get > /dev/null \
    || die 'cosign is missing (only Debian and Ubuntu can be set up from here)'
say "installing cosign of Debian $suite in /usr/local/bin"
place=$(mktemp -d)
trap 'rm -rf -- "$place"' EXIT
use_suite "$suite" "$place"
(cd -- "$place" && apt_get -c "$place/apt.conf" download cosign)
dpkg-deb --extract "$place"/cosign_*.deb "$place/package"
install -m 755 "$place/package/usr/bin/cosign" /usr/local/bin/cosign
cosign version > /dev/null || die "cosign of Debian $suite does not run here"
