# shellcheck shell=bash
# Sourced by the entrypoint before the command. Weights that a job downloads go where the team's
# volume is mounted: in the container's own home they would be lost with it. A job's own
# TORCH_HOME or HF_HOME stays.
cache=${TEAM_CACHE:-/cache}
if [[ -d $cache && -w $cache ]]; then
    export TORCH_HOME=${TORCH_HOME:-$cache/torch} HF_HOME=${HF_HOME:-$cache/huggingface}
elif [[ -d $cache ]]; then
    # Now, and not after the hours that it takes to the first download.
    echo "team: user $UID may not write the cache $cache; mount it writable, or leave it out" >&2
    exit 1
fi
unset cache
