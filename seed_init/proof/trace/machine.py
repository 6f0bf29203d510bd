# SPDX-License-Identifier: Apache-2.0
"""The facts of a run that can be known from outside of its processes.

What only a process of the run knows (torch's flags, numbers of threads) its instrument `facts`
writes to the trace. Nothing here imports a library: the job's interpreter may be another one.
"""

import json
import locale
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from seed_init.proof.redaction import redaction
from seed_init.proof.trace import git

IMAGE_FACTS = Path("/usr/local/share/seed_init/image.json")
"""Written when the image is built (image/check_base.py)."""

PATIENCE = 20.0
"""Seconds for one question to the driver, which answers in milliseconds."""

ISA = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
"""Of the instruction sets in /proc/cpuinfo, those by which libraries choose their kernels."""


def machine() -> dict[str, Any]:
    """System, CPU and image, as sections of a record. Starts no process, takes milliseconds."""
    return {"image": image(), "system": system(), "cpu": cpu()}


def image() -> dict[str, Any] | None:
    """What the image's build wrote down; None outside of an image."""
    try:
        facts: dict[str, Any] = json.loads(IMAGE_FACTS.read_text())
        return facts
    except (OSError, ValueError):
        return None


def system() -> dict[str, Any]:
    """Kernel, C library, locale and time zone. Not the machine's name."""
    return {
        "os": _distribution(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "libc": " ".join(part for part in platform.libc_ver() if part) or None,
        "locale": locale.setlocale(locale.LC_CTYPE),
        "timezone": time.strftime("%Z"),
    }


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def cpu() -> dict[str, Any]:
    """Model, instruction sets, and the processors that this process may use."""
    facts: dict[str, Any] = {"model": None, "instruction_sets": [], "processors": os.cpu_count()}
    facts["affinity"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return facts
    fields = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    numbers = [fields.get(name) for name in ("cpu family", "model", "stepping")]
    # A hypervisor may hide the name; the numbers tell the kind all the same.
    facts["model"] = fields.get("model name") or fields.get("CPU part")
    if None not in numbers:
        facts["model"] = f"{facts['model']} (family {numbers[0]} model {numbers[1]})"
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    facts["instruction_sets"] = [name for name in ISA if name in flags]
    return facts


_PARTS_OF_A_RECORD = re.compile(r"\?\? .*\.\d+(?:-\d+)?\.parts/?\"?")
"""What `git status` says of a record that is being made (`record_parts.parts_of`)."""

_GPU_FIELDS = {
    "name": "name",
    "uuid": "uuid",
    "capability": "compute_cap",
    "driver": "driver_version",
    "vbios": "vbios_version",
    "mig": "mig.mode.current",
    "ecc": "ecc.mode.current",
}


def gpus() -> list[dict[str, Any]]:
    """Every GPU that the driver shows; none where there is no driver."""
    fields = ",".join(_GPU_FIELDS.values())
    answer = _ask("nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader")
    rows = [line.split(", ") for line in (answer or "").splitlines()]
    return [dict(zip(_GPU_FIELDS, row)) for row in rows if len(row) == len(_GPU_FIELDS)]


def packages(paths: Iterable[str]) -> dict[str, str]:
    """Name to version of what is installed for an interpreter.

    Args:
        paths: its `sys.path`. The first of two installations of one name is the one it imports.
    """
    # Not at the top: it imports `random`, whose generator would then be in the trace of a program
    # that does not use it.
    from importlib import metadata

    versions: dict[str, str] = {}
    for distribution in metadata.distributions(path=list(paths)):
        name = distribution.metadata["Name"]
        if name:
            versions.setdefault(name, distribution.version or "?")
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def code(directory: Path) -> dict[str, Any] | None:
    """The git commit of a directory and what was changed since; None outside of a repository."""
    facts = commit(directory)
    if facts is None:
        return None
    status = git.text(directory, "status", "--porcelain", "--untracked-files=normal")
    if status is None:
        facts["note"] = "git is not there or did not answer: whether it was changed is not known"
        return facts
    lines = [line for line in status.splitlines() if not _PARTS_OF_A_RECORD.fullmatch(line)]
    changed = [line for line in lines if not line.startswith("??")]
    difference = git.text(
        directory, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv"
    )
    remote = git.text(directory, "config", "--get", "remote.origin.url")
    facts |= {
        "remote": redaction.repository(remote.strip()) if remote else None,
        "dirty": bool(changed),
        "changed_files": len(changed),
        "untracked_files": len(lines) - len(changed),
        "diff_sha256": sha256(difference.encode(errors="replace")).hexdigest()
        if changed and difference is not None
        else None,
    }
    return facts


def changed_files(directory: Path) -> list[Path]:
    """The tracked files of a git repository that are not as they were committed."""
    root = git.text(directory, "rev-parse", "--show-toplevel")
    names = git.text(directory, "diff", "HEAD", "--name-only", "-z", "--no-ext-diff")
    if root is None or names is None:
        return []
    return [Path(root.rstrip("\n"), name) for name in names.split("\0") if name]


def commit(directory: Path) -> dict[str, Any] | None:
    """The commit alone, read from the repository's files: starts no process."""
    for parent in (directory, *directory.parents):
        repository = parent / ".git"
        try:
            if repository.is_file():  # a worktree or a submodule
                repository = parent / repository.read_text().partition("gitdir:")[2].strip()
            head = (repository / "HEAD").read_text().strip()
        except OSError:
            continue
        name = head.partition("ref: ")[2]
        return {
            "commit": _resolve(repository, name) if name else head,
            "branch": name.removeprefix("refs/heads/") or None,
            "prefix": str(directory.relative_to(parent)),
            "remote": None,
            "dirty": None,
            "changed_files": None,
            "untracked_files": None,
            "diff_sha256": None,
            "note": None,
        }
    return None


def _resolve(repository: Path, name: str) -> str | None:
    common = repository
    with suppress(OSError):  # no worktree: everything is in one place
        common = repository / (repository / "commondir").read_text().strip()
    for directory in (repository, common):
        try:
            return (directory / name).read_text().strip()
        except OSError:
            continue
    try:
        lines = (common / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def _ask(*command: str) -> str | None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            env={**os.environ, "LC_ALL": "C", "SEED_INIT": "0"},
        )
    except (OSError, subprocess.SubprocessError, RuntimeError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
