"""Put the CUDA runtime of the tests below the programs: it computes nothing."""

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu.room import REPOSITORY, Failed

LIBRARY = "libnullcudart"


def variables(place: Path) -> dict[str, str]:
    """The variables with which programs see two devices that compute nothing.

    Where the script itself has been started on such a runtime, that one is taken.

    Args:
        place: an empty directory; the runtime is built into it.

    Raises:
        Failed: it cannot be built.
    """
    if LIBRARY in os.environ.get("LD_PRELOAD", ""):
        names = [name for name in os.environ if name.startswith(("NULLCUDA_", "FAKECUDA_"))]
        return {name: os.environ[name] for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", *names)}
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        raise Failed(f"no torch in {sys.executable}")
    include = Path(torch.origin).parents[1] / "nvidia/cuda_runtime/include"
    if not include.exists():
        raise Failed(
            f"{include} is missing: the runtime is built from the headers of torch's wheels"
        )
    sys.path.insert(0, str(REPOSITORY / "tests"))
    running = importlib.import_module("nullcuda.running")
    try:
        runtime = running.build(place, include)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"the runtime that computes nothing cannot be built: {error}") from None
    found: dict[str, str] = runtime.env(devices=2, capability=90)
    return found
