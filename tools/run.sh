#!/usr/bin/env bash
# run.sh notebook|train: run a service with the best that this machine has: Compose with its
# GPU, Compose without one, or a local virtual environment. Says in one line which and why.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly compose_needed=2.24
image=${SEED_INIT_IMAGE:-seed-init:2.6.0-cuda11.8-cudnn9-notebook}

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# Why Compose cannot be used here, in words; nothing where it can.
no_compose() {
    command -v docker > /dev/null || { echo 'there is no docker command'; return; }
    docker info > /dev/null 2>&1 || { echo 'no Docker engine answers'; return; }
    local version
    version=$(docker compose version --short 2> /dev/null) || version=
    version=${version#v}
    if [[ -z $version ]]; then
        if command -v docker-compose > /dev/null; then
            echo "docker-compose 1.x is no longer maintained and cannot read docker-compose.yml; install Compose $compose_needed or newer (docker compose)"
        else
            echo "docker has no Compose; install Compose $compose_needed or newer (docker compose)"
        fi
    elif ! at_least "$compose_needed" "$version"; then
        echo "Compose $version is too old; install $compose_needed or newer"
    elif ! image_can_be_had; then
        echo "the image is not here and its base cannot be pulled"
    fi
}

# The image is here, or its base is here, or the base's registry answers.
image_can_be_had() {
    local base
    base=${BASE_IMAGE:-$(base_in_dockerfile)}
    docker image inspect "$image" > /dev/null 2>&1 \
        || docker image inspect "$base" > /dev/null 2>&1 \
        || timeout 30 docker manifest inspect "$base" > /dev/null 2>&1
}

base_in_dockerfile() {
    local digest
    digest=$(sed -n 's/^ARG BASE_DIGEST=//p' Dockerfile)
    sed -n "s|^ARG BASE_IMAGE=\(.*\)\${BASE_DIGEST}|\1$digest|p" Dockerfile
}

# Why Compose cannot have a GPU here; nothing where it can.
no_gpu() {
    nvidia-smi --list-gpus 2> /dev/null | grep -q GPU || { echo 'no NVIDIA GPU here'; return; }
    docker info --format '{{json .Runtimes}} {{json .CDISpecDirs}}' 2> /dev/null | grep -q nvidia \
        || [[ -e /etc/cdi/nvidia.yaml || -e /var/run/cdi/nvidia.yaml ]] \
        || echo 'the engine has no NVIDIA runtime: install the NVIDIA Container Toolkit'
}

compose() {
    # Files that a job writes into this folder belong to its owner.
    [[ -n ${CONTAINER_UID:-} || ! -O . || $EUID != 0 ]] \
        || say 'the container runs as root, because this folder belongs to root; to change that: chown -R 1000 .'
    CONTAINER_UID=${CONTAINER_UID:-$(stat -c %u .)} docker compose "${files[@]}" "$@"
}

with_compose() {
    case $1 in
        train) compose run --rm train ;;
        notebook) compose up notebook ;;
    esac
}

# A bad setting is told before anything is installed, by the package itself.
check_settings() {
    local python=.venv/bin/python status=0
    [[ -x $python ]] || python=${PYTHON:-python3}
    "$python" seed_init status > /dev/null 2>&1 || status=$?
    ((status != 78)) || "$python" seed_init status > /dev/null || exit 78
}

locally() {
    check_settings
    tools/venv.sh local
    local python=$PWD/.venv/bin/python
    # An interpreter reads it before the hook can; the image has it in its environment.
    export PYTHONHASHSEED=${PYTHONHASHSEED:-0}
    case $1 in
        train) exec "$python" examples/digits/train.py ;;
        notebook)
            local options=(--no-browser --ServerApp.port_retries=0 --port "${JUPYTER_PORT:-8888}" --KernelManager.transport=ipc)
            # Jupyter refuses root unless told that it is meant; there is no other user here.
            ((EUID == 0)) && options+=(--allow-root)
            exec "$python" -m jupyter lab "${options[@]}" ;;
    esac
}

check_port() {
    if ! [[ $1 =~ ^[0-9]{1,5}$ ]] || ((10#$1 < 1 || 10#$1 > 65535)); then
        die "JUPYTER_PORT=$1 is not accepted; use a port from 1 to 65535"
    elif (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then
        die "port $1 is in use; choose another: make notebook JUPYTER_PORT=8889"
    fi
}

main() {
    local service=${1:-}
    [[ $service == notebook || $service == train ]] || die 'usage: run.sh notebook|train'
    local reason
    [[ $service == train ]] || check_port "${JUPYTER_PORT:-8888}"
    reason=$(no_compose)
    if [[ -n $reason ]]; then
        say "$service runs in the local environment .venv, because $reason"
        locally "$service"
    fi
    files=(-f docker-compose.yml)
    reason=$(no_gpu)
    if [[ -n $reason ]]; then
        files+=(-f docker-compose.cpu.yml)
        say "$service runs in a container on the CPU, because $reason"
    else
        say "$service runs in a container with all GPUs"
    fi
    with_compose "$service"
}

main "$@"
