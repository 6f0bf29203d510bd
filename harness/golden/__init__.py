# SPDX-License-Identifier: Apache-2.0
"""Golden digests: what some trainings give under DETERMINISM=portable and SEED=7, on any machine.

`digests.json` has them, with the versions that they belong to. tests/programs/test_golden.py
compares; `python -m harness.golden` computes them anew and writes them, and with `--check` compares
only, such as on an emulated CPU: `python -m harness.golden --check qemu-x86_64 -cpu Haswell`.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import interpreters, machine
from harness.repository import REPOSITORY

FILE = Path(__file__).with_name("digests.json")

SETTINGS = {"SEED": "7", "DETERMINISM": "portable"}

PACKAGES = ("torch", "numpy", "scikit-learn")
"""What computes: another version may give other bits."""

EPOCHS = "2"

COMMAND = "python -m harness.golden"


class Failed(Exception):
    """A training did not end as it should; the text is the end of its stderr."""


def measure(python: Path, prefix: Sequence[str] = (), **variables: str) -> dict[str, str]:
    """Train in two processes of an interpreter with the hook.

    Args:
        python: the interpreter.
        prefix: what to put before it, such as an emulator and its options.
        variables: of the environment, on top of SETTINGS.

    Returns:
        The name of each digest, and the digest.

    Raises:
        Failed: a process ended with an error.
    """
    with tempfile.TemporaryDirectory() as place:
        environment = interpreters.environment(python, **{**SETTINGS, "HOME": place, **variables})
        metrics = Path(place, "metrics.json")
        digits = [str(REPOSITORY / "examples/digits/train.py"), "--epochs", EPOCHS]
        _run([*prefix, str(python), *digits, "--out", str(metrics)], environment)
        weights = json.loads(metrics.read_text())["weights_sha256"]
        printed = _run([*prefix, str(python), "-m", "harness.golden.train"], environment)
    trainings: dict[str, str] = json.loads(printed.splitlines()[-1])
    return {"digits.weights": weights[:12], **trainings}


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if done.returncode:
        raise Failed(f"exit status {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def versions() -> dict[str, str]:
    """The versions of the packages that compute; the build of torch does not count."""
    return {name: metadata.version(name).partition("+")[0] for name in PACKAGES}


def read() -> dict[str, Any]:
    """The golden digests: `versions`, and `digests`."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def write(digests: dict[str, str]) -> None:
    """Write golden digests, with the versions that they belong to and where they were computed."""
    computed = {**SETTINGS, "machine": machine.description()}
    golden = {"versions": versions(), "computed": computed, "digests": digests}
    FILE.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


def unsupported() -> str:
    """Why the level promises nothing to this machine; "" where the level has to be kept."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"level portable promises nothing on {platform.machine()}"
    flags = machine.first(r"^flags\s*:\s*(.+)$", "/proc/cpuinfo")
    if flags is not None and not {"avx2", "fma"} <= set(flags.split()):
        return "this CPU has no AVX2 and FMA, which level portable needs"
    if read()["versions"] != versions():
        return (
            f"the golden digests belong to {_listed(read()['versions'])}, and here are "
            f"{_listed(versions())}"
        )
    return ""


def differing(golden: dict[str, str], here: dict[str, str]) -> str:
    """What differs between two sets of digests and what to do about that; "" if nothing does."""
    names = [name for name in {**golden, **here} if golden.get(name) != here.get(name)]
    if not names:
        return ""
    return (
        f"under {_listed(SETTINGS)} this machine computes other bits for {', '.join(names)} than "
        f"{FILE.relative_to(REPOSITORY)} has; if a change of the trainings or of the level is "
        f"meant to do that, run {COMMAND}; otherwise the level is not kept here: seed-init "
        f"portability prints what to compare and to report ({machine.description()})"
    )


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def main() -> int:
    """Compute the digests with a fresh interpreter, and write them or compare with them."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the golden digests anew.")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument(
        "prefix", nargs=argparse.REMAINDER, help="put before the interpreter: qemu-x86_64 -cpu EPYC"
    )
    options = parser.parse_args()
    if options.prefix and not options.check:
        parser.error("golden digests are written on a real CPU; give --check before an emulator")
    with tempfile.TemporaryDirectory() as place:
        _, python = interpreters.bare_and_hooked(Path(place))
        try:
            here = measure(python, options.prefix)
            again = here if options.check else measure(python)
        except Failed as error:
            print(f"harness.golden: {error}", file=sys.stderr)
            return 1
    told = differing(read()["digests"], here) if FILE.exists() else "new"
    if options.check:
        print(told or f"{len(here)} digests, all as in {FILE.relative_to(REPOSITORY)}")
        return 1 if told else 0
    if here != again:
        print("harness.golden: two runs differ; nothing was written", file=sys.stderr)
        return 1
    write(here)
    print(f"{FILE}: {len(here)} digests, {'changed' if told else 'as before'}")
    return 0
