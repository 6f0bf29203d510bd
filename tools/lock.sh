#!/usr/bin/env bash
# lock.sh: write the lock files in requirements/ anew from their .in files. Needs uv.
# Universal: one lock for every Python from 3.10 on, so that the local environment has the
# image's versions wherever a wheel of them exists.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../requirements"

lock() { # lock NAME [OPTIONS of uv pip compile]
    local name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
        --no-annotate "$@" "$name.in" --output-file "$name.txt"
}

# The base brings numpy and torch's other needs; of these only numpy stays out of the lock,
# because it must not move.
lock notebook --constraints constraints.txt --no-emit-package numpy
# What the image installs, of the same versions: the server's environment, and the base's Python.
lock server --overrides server-overrides.txt
lock libraries --constraints constraints.txt --no-emit-package numpy
lock torch
lock test
lock peers
lock engines

# torch's CPU build comes from an index of its own, with the same needs but CUDA's. The tests'
# libraries, the engines and the peers need torch, but the scripts that install them see to that.
python3 - <<'PYTHON'
import re
from pathlib import Path

cuda = re.compile(r"(torch|triton|nvidia-[\w-]+)==")
for source, target in (
    ("torch.txt", "torch-cpu.txt"),
    ("test.txt", "test.txt"),
    ("peers.txt", "peers.txt"),
    ("engines.txt", "engines.txt"),
):
    blocks = re.split(r"^(?=\S)", Path(source).read_text(), flags=re.M)
    Path(target).write_text("".join(b for b in blocks if not cuda.match(b)))

# What only a requirement that was left out would need.
server = Path("server.txt")
blocks = re.split(r"^(?=\S)", server.read_text(), flags=re.M)
never = re.compile(r"[^ ]+ ; (?!.* or ).*sys_platform == 'never'")
server.write_text("".join(b for b in blocks if not never.match(b)))
PYTHON
