"""The example training job: its time and accuracy, and that equal seeds give equal weights."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import interpreters
from harness.repository import REPOSITORY

SEEDS = (0, 1, 2, 3, 7, 42)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        python = interpreters.copy_base(Path(place, "python"))
        interpreters.see_packages(python)
        interpreters.install_hook(python)
        runs = {seed: train(python, seed, Path(place, "metrics.json")) for seed in SEEDS}
        again = train(python, SEEDS[0], Path(place, "metrics.json"))
    print(f"examples/digits, {len(SEEDS)} seeds {SEEDS}")
    seconds = [run["seconds"] for run in runs.values()]
    print(f"  time      median {statistics.median(seconds):.1f} s, slowest {max(seconds):.1f} s")
    accuracies = sorted(run["accuracy"] for run in runs.values())
    print(f"  accuracy  {accuracies[0]:.2%} to {accuracies[-1]:.2%}")
    print(f"  weights   {len({run['weights_sha256'] for run in runs.values()})} different hashes")
    same = again["weights_sha256"] == runs[SEEDS[0]]["weights_sha256"]
    print(f"  SEED={SEEDS[0]} again: {'the same' if same else 'ANOTHER'} hash")


def train(python: Path, seed: int, metrics: Path) -> dict[str, Any]:
    """Train once; returns what the job wrote, and the seconds it took."""
    start = time.monotonic()
    subprocess.run(
        [str(python), "examples/digits/train.py", "--out", str(metrics)],
        cwd=REPOSITORY,
        env=interpreters.environment(python, SEED=str(seed), HOME=str(Path.home())),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr if "-v" in sys.argv else subprocess.DEVNULL,
    )
    result: dict[str, Any] = json.loads(metrics.read_text())
    return {**result, "seconds": time.monotonic() - start}


if __name__ == "__main__":
    main()
