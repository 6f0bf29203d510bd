"""What CUBLAS_WORKSPACE_CONFIG costs the host at every matrix product, with the hook and without.

Needs a CUDA device, or the runtime of tests/nullcuda, which runs PyTorch's host code and computes
nothing: `LD_PRELOAD=… LD_LIBRARY_PATH=… python -m benchmarks products`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import interpreters

INHERITED = ("LD_PRELOAD", "CUDA_VISIBLE_DEVICES")
"""What a run takes from this process's environment, beside LD_LIBRARY_PATH."""

RUNS = 3
VALUE = ":4096:8"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        bare, hooked = interpreters.bare_and_hooked(Path(place))
        arms = {
            "no hook": (bare, {}),
            f"no hook, {VALUE}": (bare, {"CUBLAS_WORKSPACE_CONFIG": VALUE}),
            "SEED=7 (DETERMINISM=warn)": (hooked, {"SEED": "7"}),
            f"SEED=7, {VALUE} set by the user": (
                hooked,
                {"SEED": "7", "CUBLAS_WORKSPACE_CONFIG": VALUE},
            ),
        }
        print("host time of a call on 8 x 8 float32, microseconds")
        for name, (executable, variables) in arms.items():
            runs = [_measured(executable, variables) for _ in range(RUNS)]
            if None in runs:
                print("no CUDA device here, and no runtime that stands for one")
                return
            least = {call: min(run[call] for run in runs if run) for call in runs[0] or ()}
            told = ", ".join(f"{call} {value:.1f}" for call, value in least.items())
            print(f"  {name:32} {told}")


def _measured(executable: Path, variables: dict[str, str]) -> "dict[str, float] | None":
    """Call -> microseconds, in a process of its own; None where there is no device."""
    environment = interpreters.environment(executable, SEED_INIT_LOG="quiet", **variables)
    environment |= {name: os.environ[name] for name in INHERITED if name in os.environ}
    libraries = (environment["LD_LIBRARY_PATH"], os.environ.get("LD_LIBRARY_PATH", ""))
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    command = [str(executable), str(Path(__file__).parent / "micro" / "products.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode and "No CUDA GPUs" not in done.stderr and "NVIDIA driver" not in done.stderr:
        sys.exit(done.stderr)
    found: dict[str, float] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


if __name__ == "__main__":
    main()
