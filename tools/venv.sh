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
    say "interrupted; run it again to go on${cache:+ (the packages that have come whole are kept in $cache)}"
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
    # uv needs no ensurepip, which Debian and Ubuntu have in a package of its own.
    "$python" -m venv --clear .venv > "$log" 2>&1 \
        || { has_uv && uv venv --quiet --clear --seed --python "$python" .venv > "$log" 2>&1; } \
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

# --- the installer, with signs of life: minutes of silence look like a hang -----------------

readonly quiet_s=15 # seconds between two lines where stderr is no terminal

# Bytes of the wheels of each lock for Linux on x86_64, in MB: from the index, as uv lock writes it.
declare -rA download_mb=([torch]=3076 [notebook]=181)

cache=
fetched_mb=0
progress=
steps=()

has_uv() { uv --version > /dev/null 2>&1; }

# Where whole packages are kept, so that a run that is stopped does not fetch them again: the
# installer's own cache, or one in here where that is switched off.
find_cache() {
    local own
    if has_uv; then
        own=$([[ -z ${UV_NO_CACHE:-} ]] && uv cache dir 2> /dev/null) || own=
    else
        own=$(.venv/bin/python -m pip cache dir 2> /dev/null) || own=
    fi
    # A cache of another user's is not used by pip either.
    if [[ -n $own ]] && mkdir -p -- "$own" 2> /dev/null && [[ -O $own && -w $own ]]; then
        cache=$own
    else
        cache=$PWD/.cache/packages
    fi
}

# The packages are installed now, and a cache that nobody asked for is of no more use.
drop_own_cache() { [[ $cache != "$PWD/.cache/packages" ]] || rm -rf -- "$cache"; }

# announce LOCK: how much comes, from where and where to, before it does.
announce() {
    local lock size
    lock=$(basename "$1" .txt)
    [[ -n ${download_mb[$lock]:-} ]] && size="about ${download_mb[$lock]} MB" || size='packages'
    say "installing $1: $size to download into $cache, with $(installer_name), for $PWD/.venv ($(free_gb) GB are free there)"
}

installer_name() { if has_uv; then echo uv; else echo pip; fi; }

free_gb() { df -Pk . | awk 'NR == 2 { printf "%d", $4 / 1000000 }'; }

# install_packages WORD...: with uv where it is there, and with pip where not, or where uv fails:
# it reads no pip.conf, and may not reach an index that pip does.
install_packages() {
    local first=$SECONDS
    if has_uv && with_uv "$@"; then
        :
    else
        ! has_uv || say "uv cannot install this$(uv_complaint); pip tries it"
        with_pip "$@"
    fi
    steps+=("${*: -1} $((SECONDS - first)) s")
}

# What uv said; on a terminal it stands there already.
uv_complaint() { sed -nE 's/^ *(error:|×|├─▶|╰─▶) *(.*)/ (\2)/p' "$log" | head -n 1; }

# uv's command, which takes the index of pip's settings where it has none of its own.
with_uv() {
    local index=() status=0
    if [[ " $* " != *' --index-url '* && -z ${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-} ]]; then
        index=("$(.venv/bin/python -m pip config get global.index-url 2> /dev/null || true)")
        index=("${PIP_INDEX_URL:-${index[0]}}")
        [[ -n ${index[0]} ]] && index=(--index-url "${index[0]}") || index=()
    fi
    run_installer env -u UV_NO_CACHE uv pip install --python .venv/bin/python --cache-dir "$cache" \
        --no-deps "${index[@]}" "$@" || status=$?
    ((status != 130)) || exit 130
    return "$status"
}

with_pip() {
    local bar=off
    [[ ! -t 2 ]] || bar=on
    run_installer .venv/bin/python -m pip install --disable-pip-version-check \
        --no-warn-script-location --progress-bar="$bar" --cache-dir "$cache" --no-deps "$@" \
        || die "$(why_pip_failed)"
    fetched_mb=$((fetched_mb + $(sizes | awk '{ sum += $2 } END { printf "%d", sum }')))
}

# run_installer COMMAND...: on a terminal with the bars that the command draws itself, and elsewhere
# with a line of ours every now and then. Its words are in $log afterwards.
run_installer() {
    local status=0
    : > "$log"
    # It is in the foreground: there Ctrl-C reaches it, and it removes what has come in part.
    if [[ -t 2 ]]; then
        on_terminal "$@" || status=$?
    else
        show_progress &
        progress=$!
        "$@" > "$log" 2>&1 || status=$?
        end_progress
    fi
    return "$status"
}

# A pipe would take the bars away: pip writes what it says into a file as well, uv says why it
# failed on the terminal.
on_terminal() {
    if [[ $* == *' -m pip '* ]]; then
        local status=0
        PIP_LOG=$log "$@" >&2 || status=$?
        # The time of day that pip puts before each line of its log.
        sed -i -E 's/^[0-9-]+T[0-9:,.]+ //' "$log"
        return "$status"
    fi
    "$@" >&2
}

# A line every now and then; a process of its own, so that its clock is its own as well.
show_progress() {
    SECONDS=0
    local next=$quiet_s
    # A second at most, because a sleep outlives the shell that is killed.
    while sleep 1; do
        ((SECONDS >= next)) || continue
        next=$((SECONDS + quiet_s))
        say "  $(installer_now), $SECONDS s"
    done
}

end_progress() {
    [[ -n $progress ]] || return 0
    kill "$progress" 2> /dev/null || true
    wait "$progress" 2> /dev/null || true
    progress=
}

# The packages that pip has named so far, with their sizes in MB.
sizes() {
    sed -nE 's/^.*[ \/]([^ \/-]+)-[^ \/]*\.whl \(([0-9.]+) ([kMG]?)B\).*$/\1 \2 \3/p' "$log" \
        | awk '{ print $1, $2 * ($3 == "G" ? 1000 : $3 == "M" ? 1 : $3 == "k" ? 0.001 : 0.000001) }'
}

# What pip or uv is at, from its output so far.
installer_now() {
    local now
    # uv names a package of some size when it begins, and again when it is there.
    now=$(sed -nE 's/^ *Downloading ([^ ]+ \([0-9.]+[KMG]iB\))$/\1/p' "$log" | tail -n 1)
    if [[ -n $now ]]; then
        echo "$now is coming, or has come"
        return
    fi
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
        say "torch $torch for CUDA comes from the package index (a GPU is here)"
        announce requirements/torch.txt
    elif answers "$cpu_index"; then
        say "torch $torch for the CPU comes from PyTorch's index, which is a fraction of ${download_mb[torch]} MB (no GPU here); it goes into $cache and $PWD/.venv"
        install_packages --index-url "$cpu_index" "torch==$torch"
        install_packages --require-hashes -r requirements/torch-cpu.txt
        return
    else
        say "torch $torch comes from the package index (no GPU here, but PyTorch's index does not answer)"
        announce requirements/torch.txt
    fi
    install_packages --require-hashes -r requirements/torch.txt
}

join_steps() {
    local all
    printf -v all '%s, ' "${steps[@]}"
    echo "${all%, }"
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

    if ! .venv/bin/python -c '' 2> /dev/null; then
        make_venv
        steps+=("the environment $SECONDS s")
    fi
    find_cache
    if ! stamped torch requirements/torch.txt; then
        install_torch
        stamp torch requirements/torch.txt
    fi
    local lock
    for lock in "${wanted[@]}"; do
        if ! stamped "$(basename "$lock")" "$lock"; then
            announce "$lock"
            # torchvision loads only with a torch of the same kind.
            if [[ $lock == */test.txt ]] && has_cpu_torch; then
                install_packages --index-url "$cpu_index" "$(grep -oE '^torchvision==[0-9.]+' "$lock")"
            fi
            install_packages --require-hashes -r "$lock"
            stamp "$(basename "$lock")" "$lock"
        fi
    done
    if ((${#steps[@]})); then
        ((fetched_mb)) || fetched_mb=
        say "installed${fetched_mb:+ packages of $fetched_mb MB}; .venv has $(du -sm .venv | cut -f 1) MB; times: $(join_steps)"
        drop_own_cache
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
