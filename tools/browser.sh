#!/usr/bin/env bash
# browser.sh: make Debian's Chromium available for the browser tests. Does nothing where there is
# a chromium command; otherwise installs it, which needs root on Debian.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# shellcheck source=tools/docker-engine.sh
. tools/docker-engine.sh

say() { printf 'browser: %s\n' "$*" >&2; }

if ! command -v chromium > /dev/null; then
    [[ $EUID -eq 0 ]] || die 'there is no chromium command (installing it needs root)'
    command -v apt-get > /dev/null \
        || die 'there is no chromium command (only Debian can be set up from here)'
    say 'installing chromium and a font'
    refresh_package_lists
    # Without a font of its own, a picture of the page has a box for every letter.
    apt_get install chromium fonts-dejavu-core
    hash -r
    command -v chromium > /dev/null || die 'installed, but there still is no chromium command'
fi
chromium --version 2> /dev/null
