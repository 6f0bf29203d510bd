"""Put the CUDA runtime of the tests below the programs: it computes nothing."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu.room import Failed, short
from harness.repository import REPOSITORY

BUILD = REPOSITORY / "tests/nullcuda/runtime/build.py"
LIBRARY = "libnullcud"
"""How the name of the library begins that is loaded before all others."""

DEVICES, CAPABILITY = "2", "90"


def variables(place: Path) -> dict[str, str]:
    """The variables with which programs see two devices that compute nothing.

    Where the script itself has been started on such a runtime, that one is taken.

    Args:
        place: an empty directory; the runtime is built into it.

    Raises:
        Failed: it cannot be built.
    """
    if LIBRARY in os.environ.get("LD_PRELOAD", ""):
        names = [name for name in os.environ if name.startswith("NULLCUDA_")]
        return {name: os.environ[name] for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", *names)}
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        raise Failed(f"no torch in {sys.executable}; give a Python that has it: make gpu PYTHON=…")
    packages = str(Path(torch.origin).parents[1])
    done = subprocess.run(
        [sys.executable, str(BUILD), str(place), "--site-packages", packages],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"the runtime that computes nothing cannot be built: {short(done.stderr)}")
    (library,) = place.glob(f"{LIBRARY}*.so")
    libraries = [str(place / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        "LD_PRELOAD": str(library),
        "LD_LIBRARY_PATH": os.pathsep.join(each for each in libraries if each),
        "NULLCUDA_DEVICES": DEVICES,
        "NULLCUDA_CAPABILITY": CAPABILITY,
    }
