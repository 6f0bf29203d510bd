#!/usr/bin/env bash
# docker-engine.sh: make a Docker engine with Compose and buildx available. Does
# nothing where there is one; otherwise sets it up, which needs root on Debian (or
# Ubuntu). Sourced, it only defines its functions.
set -euo pipefail

# Older ones are not tried.
readonly compose_needed=2.24
# One of the places where every docker command looks for its plugins.
readonly plugin_dir=/usr/local/lib/docker/cli-plugins
# Bookworm has Compose 1.29 and no buildx. Trixie's plugins run on it: libc 2.34 is
# all they link to.
readonly donor_suite=trixie
readonly engine_log=${XDG_STATE_HOME:-/var/log}/dockerd.log
readonly engine_timeout_s=60

say() { printf 'docker-engine: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/debian.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/debian.sh"

# --- what is there ---------------------------------------------------------------

engine_version() { docker info --format '{{.ServerVersion}}' 2> /dev/null; }
engine_answers() { [[ -n $(engine_version) ]]; }

compose_version() {
    local version
    version=$(docker compose version --short 2> /dev/null) && printf '%s' "${version#v}"
}
compose_is_new_enough() { at_least "$compose_needed" "$(compose_version)"; }

buildx_version() {
    local version
    version=$(docker buildx version 2> /dev/null) && awk '{ sub(/^v/, "", $2); print $2 }' <<< "$version"
}
buildx_is_there() { [[ -n $(buildx_version) ]]; }

# at_least LOW VERSION: VERSION is LOW or later. No version is earlier than any.
at_least() { [[ -n $2 && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# What is missing, in words; nothing where all is there.
missing() {
    local parts=()
    engine_answers || parts+=('a Docker engine that answers')
    compose_is_new_enough || parts+=("Compose $compose_needed or later")
    buildx_is_there || parts+=('buildx')
    local IFS=,
    printf '%s' "${parts[*]}" | sed 's/,/, /g'
}

# --- the engine ------------------------------------------------------------------

install_engine() {
    say 'installing docker.io and debootstrap'
    refresh_package_lists
    local packages=(docker.io debootstrap)
    # Newer releases split the docker command off.
    [[ -z $(candidate docker-cli) ]] || packages+=(docker-cli)
    apt_get install "${packages[@]}"
    # bash remembers where it did not find docker.
    hash -r
}

start_engine() {
    # The package may have started it already, through systemd or its init script.
    if ! pidof dockerd > /dev/null; then
        say "starting dockerd, which logs to $engine_log"
        mkdir -p -- "$(dirname -- "$engine_log")"
        # A session of its own, so that it outlives this script and its terminal.
        setsid dockerd > "$engine_log" 2>&1 < /dev/null &
    fi
    local deadline=$((SECONDS + engine_timeout_s))
    until engine_answers; do
        sleep 1
        pidof dockerd > /dev/null || give_up 'dockerd stopped'
        ((SECONDS < deadline)) || give_up "dockerd does not answer after $engine_timeout_s s"
    done
}

give_up() {
    [[ -s $engine_log ]] || die "$1"
    tail -n 10 -- "$engine_log" >&2
    die "$1; the last lines of $engine_log are above"
}

provide_engine() {
    [[ -z ${DOCKER_HOST-} ]] \
        || die 'DOCKER_HOST names an engine that does not answer; unset it to have one started here'
    { command -v dockerd && command -v docker; } > /dev/null || install_engine
    engine_answers || start_engine
}

# --- its plugins -----------------------------------------------------------------

provide_compose() {
    refresh_package_lists
    local package
    for package in docker-compose-v2 docker-compose; do
        if at_least "$compose_needed" "$(candidate "$package")"; then
            say "installing $package"
            apt_get install "$package"
            return
        fi
    done
    fetch_plugin docker-compose "$plugin_dir"
}

provide_buildx() {
    refresh_package_lists
    if [[ -n $(candidate docker-buildx) ]]; then
        say 'installing docker-buildx'
        apt_get install docker-buildx
    else
        fetch_plugin docker-buildx "$plugin_dir"
    fi
}

# fetch_plugin NAME DIRECTORY: the plugin out of the donor suite's package NAME. The
# package itself is not installed: it would pull the donor's docker in with it.
# A subshell, so that its trap is its own.
fetch_plugin() (
    say "fetching $1 from Debian $donor_suite"
    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    mkdir -p -- "$scratch/unpacked" "$2"
    use_suite "$donor_suite" "$scratch"
    cd -- "$scratch"
    apt_get download "$1" -c "$scratch/apt.conf"
    dpkg -x "$1"_*.deb unpacked
    install -m 755 -- "unpacked/usr/libexec/docker/cli-plugins/$1" "$2/$1"
)

# --- all of it -------------------------------------------------------------------

main() {
    [[ $# -eq 0 ]] || die 'takes no argument'
    local lacking
    lacking=$(missing)
    if [[ -n $lacking ]]; then
        [[ $EUID -eq 0 ]] || die "missing: $lacking (setting it up needs root)"
        command -v apt-get > /dev/null \
            || die "missing: $lacking (only Debian and Ubuntu can be set up from here)"
        engine_answers || provide_engine
        compose_is_new_enough || provide_compose
        buildx_is_there || provide_buildx
        lacking=$(missing)
        [[ -z $lacking ]] || die "set up, but still missing: $lacking"
    fi
    printf 'docker engine %s, compose %s, buildx %s\n' \
        "$(engine_version)" "$(compose_version)" "$(buildx_version)"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
