# SPDX-License-Identifier: Apache-2.0
"""The fingerprint for the record of a run, which is asked for once and then kept for this boot.

The probes run after the user's command, in a process of their own. A second of probes and the
import of the libraries would be too long for the record of each short run, and the answer changes
with the machine, the libraries and the variables only. So the answer lies in the user's cache
directory, under a name that is made of all these.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import seed_init
from seed_init.proof.arithmetic import asking
from seed_init.proof.arithmetic.fingerprint import Fingerprint
from seed_init.proof.trace import machine, validation
from seed_init.system import writing

LIMIT = 120.0
"""Seconds for the probes of a record."""

MOST = 50
"""Fingerprints that are kept; of those before, boots and libraries may be gone."""

BOOT = Path("/proc/sys/kernel/random/boot_id")

PREFIXES = (
    *("ATEN_", "BLIS_", "CUBLAS", "DETERMINISM", "DNNL_", "GLIBC_", "GOMP_", "KMP_", "LD_"),
    *("MKL_", "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON", "PYTORCH_", "SEED", "TORCH"),
)
"""How the variables begin by which libraries choose what they compute."""

LIBRARIES = ("numpy", "scipy", "torch")
"""Packages whose versions are part of the name."""


def of_a_record(record: Mapping[str, Any], environment: Mapping[str, str]) -> Fingerprint | None:
    """The fingerprint for the record of a run that has just ended on this machine.

    PyTorch is asked only if the run has imported it, because its import takes time.

    Args:
        record: its sections.
        environment: in which the run's command was started.

    Returns:
        The fingerprint; None if the run was in no Python that could be asked.
    """
    if record["python"] is None:
        return None
    python = Path(record["python"]["executable"]).expanduser()
    libraries = ["python", *_used(record)]
    file = _file(_name(record, python, libraries, environment))
    kept = _read(file) if file is not None else None
    if kept is not None:
        return kept
    try:
        fingerprint = asking.ask([str(python)], libraries, environment, LIMIT)
    except asking.CannotAsk:
        return None
    if file is not None:
        _keep(file, fingerprint)
    return fingerprint


def _used(record: Mapping[str, Any]) -> list[str]:
    """The libraries that are asked: those that were imported, and those that nobody tells of."""
    there = [name for name in ("numpy", "scipy") if name in record["packages"]]
    return there + (["torch"] if record["torch"] else [])


def _name(
    record: Mapping[str, Any],
    python: Path,
    libraries: list[str],
    environment: Mapping[str, str],
) -> str:
    """Of all that the answer depends on: another machine, boot, library or variable, another name.

    What is asked is in the name as well, and so is this package, whose probes may change.
    """
    try:
        boot = BOOT.read_text().strip()
    except OSError:
        boot = "unknown"
    versions = {name: record["packages"].get(name) for name in LIBRARIES}
    variables = {name: environment[name] for name in environment if name.startswith(PREFIXES)}
    for own in (*asking.OF_A_RUN, "SEED", "SEED_INIT_LOG"):
        variables.pop(own, None)
    quota = None
    with suppress(OSError):
        quota = Path("/sys/fs/cgroup/cpu.max").read_text()
    probes = sha256(asking.PROBE.read_bytes()).hexdigest()
    facts = [boot, str(python), libraries, versions, variables, machine.cpu(), quota, probes]
    text = json.dumps([*facts, record["python"]["version"], seed_init.__version__], sort_keys=True)
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _file(name: str) -> Path | None:
    """Where a fingerprint of that name is kept; None for a user without a home directory."""
    # An absolute path by the XDG Base Directory Specification; others are to be ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        folder = cache
    else:
        try:
            home = Path.home()
        except RuntimeError:
            return None
        # Users of services have the name of a directory that must not come to be: /nonexistent.
        if not home.is_dir():
            return None
        folder = home / ".cache"
    return folder / "seed_init" / f"arithmetic-{name}.json"


def _read(file: Path) -> Fingerprint | None:
    """Read what was kept; None where nothing is, or something else."""
    try:
        content = validation.parsed(*validation.read(file))
        fingerprint = Fingerprint.from_json(content)
        return fingerprint if fingerprint.hash == content["hash"] else None
    except (OSError, validation.Invalid, KeyError, TypeError, AttributeError):
        return None


def _keep(file: Path, fingerprint: Fingerprint) -> None:
    # A home directory that cannot be written to is no reason to lose a record.
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        writing.replace(file, json.dumps(fingerprint.to_json()) + "\n", durable=False)
        files = sorted(file.parent.glob("arithmetic-*.json"), key=lambda each: each.stat().st_mtime)
        for old in files[:-MOST]:
            old.unlink()
