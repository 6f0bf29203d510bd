#!/usr/bin/env bash
# venv.sh [local|test]: bring .venv up to date: the image's pinned packages and torch for
# `local` (make train and make notebook without Docker), and the tools of `make test` on top
# for `test`. Does nothing where it is up to date.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The hook that a former run installed has no business in here.
export SEED_INIT=0

# shellcheck source=versions.env
source ./versions.env
readonly torch=$PINNED_TORCH
readonly cpu_index=https://download.pytorch.org/whl/cpu

say() { printf 'seed-init: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

interrupted() {
    end_progress
    say 'interrupted; run it again to go on'
    exit 130
}

# 3.11 is the image's; the locks hold for 3.10 to 3.13, and torch has wheels for these.
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
    "$python" -m venv --clear .venv > "$log" 2>&1 \
        || die "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
}

has_gpu() { nvidia-smi --list-gpus 2> /dev/null | grep -q GPU; }

answers() {
    .venv/bin/python - "$1/" 2> /dev/null <<'PYTHON'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5).read(1)
PYTHON
}

has_cpu_torch() {
    .venv/bin/python -c 'import sys, torch; sys.exit(bool(torch.version.cuda))' 2> /dev/null
}

# --- pip, with signs of life: minutes of silence look like a hang ---------------------------

readonly quiet_s=15 # seconds between two lines where stderr is no terminal

pip_install() {
    local status=0
    : > "$log"
    show_progress &
    progress=$!
    # pip is in the foreground: there Ctrl-C reaches it, and it removes what it has downloaded.
    .venv/bin/python -m pip install --disable-pip-version-check --no-warn-script-location \
        --progress-bar=off --no-deps "$@" > "$log" 2>&1 || status=$?
    end_progress
    ((status == 0)) || die "$(why_pip_failed)"
    fetched_mb=$((fetched_mb + $(sizes | awk '{ sum += $2 } END { printf "%d", sum }')))
}

fetched_mb=0

progress=

# On a terminal one line that changes, elsewhere a line every now and then.
show_progress() {
    local every=1 start='seed-init:   ' end='\n'
    if [[ -t 2 ]]; then
        start='\r\033[Kseed-init:   ' end=''
    else
        every=$quiet_s
    fi
    SECONDS=0
    local next=$every
    # A second at most, because a sleep outlives the shell that is killed.
    while sleep 1; do
        ((SECONDS >= next)) || continue
        next=$((SECONDS + every))
        # shellcheck disable=SC2059 # the two ends are formats
        printf "$start%s, %d s$end" "$(pip_now)" "$SECONDS" >&2
    done
}

end_progress() {
    [[ -n $progress ]] || return 0
    kill "$progress" 2> /dev/null || true
    wait "$progress" 2> /dev/null || true
    progress=
    [[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# The packages that pip has named so far, with their sizes in MB.
sizes() {
    sed -nE 's/^.*[ \/]([^ \/-]+)-[^ \/]*\.whl \(([0-9.]+) ([kMG]?)B\).*$/\1 \2 \3/p' "$log" \
        | awk '{ print $1, $2 * ($3 == "G" ? 1000 : $3 == "M" ? 1 : $3 == "k" ? 0.001 : 0.000001) }'
}

# What pip is at, from its output so far.
pip_now() {
    local now
    now=$(sed -n 's/^Installing collected packages: //p' "$log")
    if [[ -n $now ]]; then
        echo "unpacking $(wc -w <<< "$now") packages"
    else
        sizes | awk '
            {
                sum += $2
                size = $2 < 0.1 ? "" : sprintf(" (%.1f MB)", $2)
                now = sprintf("%s%s is coming; %.0f MB with it", $1, size, sum)
            }
            END { print now ? now : "asking the package index" }'
    fi
}

why_pip_failed() {
    local lacking network='NewConnectionError|NameResolutionError|name resolution|ConnectTimeout'
    network+='|ReadTimeout|ProxyError|Network is unreachable|Connection (broken|refused|reset|aborted)'
    lacking=$(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' "$log" | head -n 1)
    if [[ -n $lacking ]] || tail -n 4 "$log" | grep -qE "$network|timed out"; then
        echo "the packages cannot be downloaded: the network or the package index does not answer${lacking:+, or the index lacks $lacking}; connect, or set https_proxy or PIP_INDEX_URL, and run it again"
    elif grep -q 'No space left on device' "$log"; then
        echo "no space is left for the packages in $PWD/.venv or, while they are downloaded, in ${TMPDIR:-/tmp} (TMPDIR=… is another place); docs/how-to/run.md has the sizes"
    else
        echo "pip install failed: $(grep -m 1 ERROR "$log" || tail -n 1 "$log")"
    fi
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
    trap 'end_progress; rm -f -- "$log"' EXIT
    trap interrupted INT

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
    if ((fetched_mb)); then
        say "installed packages of $fetched_mb MB; .venv has $(du -sm .venv | cut -f 1) MB"
    fi
    if [[ $purpose == local ]]; then
        install_hook
    fi
}

# The image's hook and the image's defaults, so that a job here is seeded as it is there.
install_hook() {
    .venv/bin/python seed_init install > "$log" 2>&1 || die "$(tail -n 1 "$log")"
    install_command
    if [[ ! -e .venv/etc/seed_init/defaults ]]; then
        mkdir -p .venv/etc/seed_init
        cp image/defaults .venv/etc/seed_init/defaults
    fi
    # A terminal of JupyterLab's: the user's own, with this environment, and which seed holds.
    cp image/login.sh .venv/etc/seed_init/
    cat > .venv/etc/seed_init/bashrc <<SCRIPT
[ ! -r ~/.bashrc ] || . ~/.bashrc
. $(printf %q "$PWD/.venv/bin/activate")
. $(printf %q "$PWD/.venv/etc/seed_init/login.sh")
SCRIPT
    # The image's Jupyter and IPython; Jupyter reads PREFIX/etc as it reads /etc.
    local jupyter=.venv/etc/jupyter
    mkdir -p .venv/etc/ipython "$jupyter"/{labconfig,jupyter_server_config.d}
    cp image/ipython_config.py .venv/etc/ipython/
    cp image/jupyter_server_config.py "$jupyter"/
    cp image/server_extensions.json "$jupyter"/jupyter_server_config.d/seed_init.json
    cp image/page_config.json image/default_setting_overrides.json "$jupyter"/labconfig/
}

# By hand and not by pip: the hook is a copy that `seed_init install` keeps in step with this
# checkout, and where pip has put the package, install leaves it to pip.
install_command() {
    # Removed first: what is written must not go through a link into another environment.
    rm -f .venv/bin/seed-init
    cat > .venv/bin/seed-init <<SCRIPT
#!/bin/bash
# The command seed-init of this virtual environment.
exec $(printf %q "$PWD/.venv/bin/python") -c '
import sys
if sys.path[0] == "":
    del sys.path[0]  # a folder named seed_init in the working directory is not ours
try:
    from seed_init.cli import main
except ModuleNotFoundError:
    sys.exit("seed-init: the hook is not installed in " + sys.prefix + "; make train installs it")
except KeyboardInterrupt:
    print("seed-init: interrupted", file=sys.stderr)
    sys.exit(130)
sys.exit(main())' "\$@"
SCRIPT
    chmod 755 .venv/bin/seed-init
}

main "$@"
