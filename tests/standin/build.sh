#!/usr/bin/env bash
# build.sh [TAG]: build the stand-in base image, TAG (seed-init-standin:TORCH), for
# machines where the pinned base cannot be pulled. Progress goes to stderr; the last
# line of stdout is the tag.
set -euo pipefail
# Modes end up in the image and in BuildKit's cache keys.
umask 022

readonly rootfs=seed-init-standin-rootfs:bookworm
readonly host_certificates=/etc/ssl/certs/ca-certificates.crt

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
source "$here/../../versions.env"
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

say() { printf 'standin: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

check_tools() {
    docker info > /dev/null 2>&1 \
        || die 'no Docker engine answers; tools/docker-engine.sh starts one'
    docker buildx version > /dev/null 2>&1 \
        || die 'docker has no buildx; tools/docker-engine.sh installs it'
    [[ -r $host_certificates ]] || die "$host_certificates is missing: install ca-certificates"
}

have_image() { docker image inspect "$1" > /dev/null 2>&1; }

# Kept between runs: every later layer hangs on the image's id, which a new import
# would change.
make_rootfs() {
    if have_image "$rootfs"; then
        say "$rootfs is there already"
        return
    fi
    [[ $EUID -eq 0 ]] || die "making $rootfs needs root, for debootstrap"
    command -v debootstrap > /dev/null || die 'debootstrap is missing: apt-get install debootstrap'

    say "making $rootfs"
    local root=$scratch/rootfs
    debootstrap --variant=minbase --include=ca-certificates bookworm "$root" \
        > "$scratch/debootstrap.log" 2>&1 \
        || { tail -n 20 "$scratch/debootstrap.log" >&2; die 'debootstrap failed (its last lines are above)'; }
    # debootstrap leaves the host's name and resolver, and every package it unpacked.
    rm -rf "$root"/etc/{hostname,resolv.conf} "$root"/var/cache/apt/{archives/*.deb,*.bin} \
        "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log
    tar -C "$root" --numeric-owner -c . | docker import - "$rootfs" >&2
}

build_image() {
    local context=$scratch/context
    mkdir "$context"
    # A context outside the repository: the host's certificates have no place in it.
    install -m 644 -t "$context" -- "$here"/{Dockerfile,requirements.txt,trust-host-certificates.sh}
    install -m 644 -T -- "$host_certificates" "$context/host-certificates.crt"
    DOCKER_BUILDKIT=1 docker build --progress=plain --build-arg ROOTFS="$rootfs" \
        --tag "$1" "$context" >&2 \
        || die "docker build of $1 failed (its output is above)"
}

check_image() {
    docker run --rm --network none "$1" python -c '
import sys, torch
major = torch.backends.cudnn.version() // 10000
print(f"python {sys.version.split()[0]} in {sys.prefix}, torch {torch.__version__}, cudnn {major}")
sys.exit(not (sys.prefix == "/opt/conda" and sys.version_info[:2] == (3, 11)
              and torch.__version__.split("+")[0] == sys.argv[1] and major == int(sys.argv[2])))
' "$PINNED_TORCH" "$PINNED_CUDNN"
}

main() {
    [[ $# -le 1 && ${1-} != -* ]] || die 'usage: build.sh [TAG]'
    local tag=${1:-seed-init-standin:$PINNED_TORCH} found
    check_tools
    make_rootfs
    build_image "$tag"
    found=$(check_image "$tag") || die "$tag is not what it should be: ${found:-python does not start}"
    say "$tag holds $found"
    printf '%s\n' "$tag"
}

main "$@"
