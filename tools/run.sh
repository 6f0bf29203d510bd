#!/usr/bin/env bash
# run.sh notebook|train: run a service with the best that this machine has: Compose with its
# GPU, Compose without one, or a local virtual environment. Says in one line which and why.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly compose_needed=2.24
# shellcheck source=versions.env
source ./versions.env
image=${SEED_INIT_IMAGE:-$IMAGE_TAG-notebook}

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# Why Compose cannot be used here, in words; nothing where it can.
no_compose() {
    trap 'exit 130' INT
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

# names_registry IMAGE: it has a host before its first slash. Another name would be asked of Docker's
# registry, where it may be anybody's.
names_registry() { [[ $1 == */* && ${1%%/*} == @(*.*|*:*|localhost) ]]; }

# The image is here or in the registry that its name has, or its base is here, or the base's registry
# answers.
image_can_be_had() {
    local base
    base=${BASE_IMAGE:-$(base_in_dockerfile)}
    docker image inspect "$image" > /dev/null 2>&1 \
        || { names_registry "$image" && timeout 30 docker manifest inspect "$image" > /dev/null 2>&1; } \
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
    local folder=${SEED_INIT_WORKSPACE:-.}
    trap 'exit 130' INT
    [[ -n ${CONTAINER_UID:-} || ! -O $folder || $EUID != 0 ]] \
        || say "the container runs as root, because ${SEED_INIT_WORKSPACE:-this folder} belongs to root; to change that: chown -R 1000 $folder"
    # Files that a job writes into the folder belong to the folder's owner.
    CONTAINER_UID=${CONTAINER_UID:-$(stat -c %u -- "$folder")} docker compose "${files[@]}" "$@"
}

with_compose() {
    trap 'exit 130' INT
    case $1 in
        train) compose run --rm train ;;
        notebook) compose up notebook ;;
    esac
}

# A bad setting is told before anything is installed, by the package itself.
check_settings() {
    local python=.venv/bin/python
    [[ -x $python ]] || python=${PYTHON:-python3}
    refuse_if_78 "$python" seed_init status
    [[ $1 != notebook ]] \
        || refuse_if_78 env PYTHONPATH="$PWD" "$python" -c 'from seed_init.notebook import server; server.settings()'
}

refuse_if_78() {
    local status=0
    "$@" > /dev/null 2>&1 || status=$?
    ((status != 78)) || "$@" > /dev/null || exit 78
}

locally() {
    check_settings "$1"
    trap 'exit 130' INT
    tools/venv.sh local || exit
    local python=$PWD/.venv/bin/python
    # The commands of the environment, seed-init among them, for all that is started from here.
    export VIRTUAL_ENV=$PWD/.venv PATH=$PWD/.venv/bin:$PATH
    # An interpreter reads it before the hook can; the image has it in its environment.
    export PYTHONHASHSEED=${PYTHONHASHSEED:-0}
    case $1 in
        train) exec "$python" examples/digits/train.py ;;
        notebook)
            # Git ignores the copy; running it leaves the checkout clean.
            [[ -e examples/welcome.ipynb ]] || cp image/welcome.ipynb examples/ 2> /dev/null || true
            exec "$python" -m jupyterlab ;;
    esac
}

check_port() {
    if ! [[ $1 =~ ^[0-9]{1,5}$ ]] || ((10#$1 < 1 || 10#$1 > 65535)); then
        say "JUPYTER_PORT='$1' is not accepted; use a port from 1 to 65535"
        exit 78
    elif (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then
        die "port $1 is in use; choose another: make notebook JUPYTER_PORT=8889"
    fi
}

main() {
    # Programs that this starts have a line of their own.
    trap 'say interrupted; exit 130' INT
    local service=${1:-}
    [[ $service == notebook || $service == train ]] || die 'usage: run.sh notebook|train'
    local reason
    [[ $service == train ]] || check_port "${JUPYTER_PORT:-8888}"
    reason=$(no_compose)
    if [[ -n $reason ]]; then
        say "$service runs in the local environment .venv, because $reason"
        locally "$service"
    fi
    # Compose builds what the registry does not have.
    ! names_registry "$image" || export SEED_INIT_PULL=${SEED_INIT_PULL:-missing}
    files=(-f docker-compose.yml)
    reason=$(no_gpu)
    if [[ -n $reason ]]; then
        say "$service runs in a container on the CPU, because $reason"
    else
        files+=(-f docker-compose.gpu.yml)
        say "$service runs in a container with all GPUs"
    fi
    with_compose "$service"
}

main "$@"
