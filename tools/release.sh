#!/usr/bin/env bash
# release.sh push|sign|attest|verify|outputs: bring the images that `make image` has built to a registry, and
# say there who made them. Each command reads REGISTRY, such as ghcr.io/OWNER.
#   push    under the tag of versions.env and under the same tag with the date of the source; writes
#           the name of each image, by its digest, into dist/images.txt
#   sign    each image of that list, with the key COSIGN_KEY, or without one by the identity of the runner
#   attest  that the list of packages that `make sbom` has written (CycloneDX) is that of each image;
#           SBOM names another file, for all of them
#   verify  the signature of each image, with the public key COSIGN_PUBLIC_KEY, or by CERTIFICATE_IDENTITY
#   outputs print the name and the three digests, as a step of a workflow gives them to the next
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# shellcheck source=versions.env
source ./versions.env
readonly list=dist/images.txt

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The date of the commit, so that the same source has the same tag; DATE is another one, for a rebuild.
date_of_release() {
    local date=${DATE:-}
    [[ -n $date ]] || date=$(git log -1 --format=%cd --date=format:%Y%m%d 2> /dev/null) \
        || die 'there is no git history that has the date of the source; give it: DATE=20261201'
    echo "$date"
}

push() {
    local date suffix local_tag name tag pushed
    date=$(date_of_release) || exit
    [[ $date =~ ^[0-9]{8}$ ]] || die "DATE='$date' is not accepted; use eight digits, such as 20261201"
    for suffix in '' -notebook -ssh; do
        docker image inspect "$IMAGE_TAG$suffix" > /dev/null 2>&1 \
            || die "there is no image $IMAGE_TAG$suffix; run make image"
    done
    mkdir -p dist
    : > "$list.new"
    for suffix in '' -notebook -ssh; do
        local_tag=$IMAGE_TAG$suffix
        name=$REGISTRY/${IMAGE_TAG%%:*}
        for tag in "${local_tag#*:}" "${local_tag#*:}-$date"; do
            docker tag "$local_tag" "$name:$tag"
            pushed=$(docker push "$name:$tag") || die "docker push $name:$tag failed"
            say "pushed $name:$tag"
        done
        sed -nE "s|.*digest: (sha256:[0-9a-f]{64}) .*|$name@\1|p" <<< "$pushed" >> "$list.new"
    done
    [[ $(wc -l < "$list.new") == 3 ]] || die 'docker push has not told the digest of each image'
    mv -- "$list.new" "$list"
    cat "$list"
}

# each COMMAND...: run it for each image of the list, by its digest.
each() {
    [[ -s $list ]] || die "there is no $list; run make push"
    command -v cosign > /dev/null || die 'there is no cosign; install it (Debian: cosign, from trixie on)'
    local image
    while read -r image; do
        "$@" "$image" < /dev/null
    done < "$list"
}

key=()
[[ -z ${COSIGN_KEY:-} ]] || key=(--key "$COSIGN_KEY")

attest() {
    local suffix
    for suffix in '' -notebook -ssh; do
        [[ -s $(sbom_of "$suffix") ]] \
            || die "there is no SBOM $(sbom_of "$suffix"); run make sbom, or name a file: SBOM=…"
    done
    each attest_one
}

# The file in which `make sbom` has the packages of an image.
sbom_of() { echo "${SBOM:-dist/${IMAGE_TAG//:/_}$1.cdx.json}"; }

attest_one() {
    local number suffixes=('' -notebook -ssh)
    number=$(grep -nxF -m 1 -- "$1" "$list" | cut -d : -f 1)
    cosign attest --yes "${key[@]}" "${cosign_options[@]}" --type cyclonedx \
        --predicate "$(sbom_of "${suffixes[number - 1]}")" "$1"
}

verify() {
    local who=(--certificate-oidc-issuer "${CERTIFICATE_ISSUER:-https://token.actions.githubusercontent.com}")
    if [[ -n ${COSIGN_PUBLIC_KEY:-} ]]; then
        who=(--key "$COSIGN_PUBLIC_KEY")
    elif [[ -n ${CERTIFICATE_IDENTITY:-} ]]; then
        who+=(--certificate-identity-regexp "$CERTIFICATE_IDENTITY")
    else
        die 'COSIGN_PUBLIC_KEY or CERTIFICATE_IDENTITY has to say whose signature is accepted'
    fi
    each cosign verify "${who[@]}" "${cosign_options[@]}" > /dev/null
}

outputs() {
    [[ -s $list ]] || die "there is no $list; run make push"
    paste -d = <(printf '%s\n' runtime notebook ssh) <(sed 's/.*@//' "$list")
    echo "name=$(sed -n '1s/@.*//p' "$list")"
}

# More options, such as --tlog-upload=false where no public log may know the image.
read -r -a cosign_options <<< "${COSIGN_OPTIONS:-}"

main() {
    [[ -n ${REGISTRY:-} ]] || die 'REGISTRY has to name where the images go, such as REGISTRY=ghcr.io/OWNER'
    REGISTRY=${REGISTRY,,} # a name in a registry has no capitals
    case ${1:-} in
        push) push ;;
        sign) each cosign sign --yes "${key[@]}" "${cosign_options[@]}" ;;
        attest) attest ;;
        verify) verify ;;
        outputs) outputs ;;
        *) die 'usage: release.sh push|sign|attest|verify|outputs' ;;
    esac
}

main "$@"
