"""Run Python processes that see CUDA devices which compute nothing."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"
PROGRAMS = Path(__file__).parent / "programs"


class NullCuda:
    """A CUDA runtime that computes nothing, built for the torch of the tests.

    Args:
        place: the directory that it was built into.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def env(
        self,
        *,
        devices: int = 2,
        log: Path | None = None,
        kernel_ns: int | None = None,
        capability: int | None = None,
        name: str = "",
        driver: int | None = None,
    ) -> dict[str, str]:
        """The variables with which a Python sees the devices.

        Args:
            devices: how many.
            log: file that gets a line for each launch, copy, synchronisation and capture.
            kernel_ns: nanoseconds for which a kernel keeps its stream busy.
            capability: of the devices, such as 90.
            name: of the devices.
            driver: version of the driver, such as 11040 for CUDA 11.4.
        """
        given = {
            "DEVICES": devices,
            "LOG": log,
            "KERNEL_NS": kernel_ns,
            "CAPABILITY": capability,
            "NAME": name or None,
            "DRIVER": driver,
        }
        libraries = [str(self.place / "lib")]
        if any(
            Path(sys.base_prefix, "lib").glob("libpython*.so*")
        ):  # a Python that was built shared
            libraries.append(str(Path(sys.base_prefix, "lib")))
        return {
            "LD_PRELOAD": str(self.place / "libnullcudart.so"),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            **{f"NULLCUDA_{key}": str(value) for key, value in given.items() if value is not None},
        }


def cpu_only() -> str:
    """Why these tests cannot run: the torch of the tests is not one for CUDA. Empty: it is."""
    place = Path(sysconfig.get_path("purelib"))
    if not (place / "torch").exists() or (place / "torch/lib/libtorch_cuda.so").exists():
        return ""
    return f"the torch in {place} is for the CPU; make test-torch VERSION=2.6.0 brings one for CUDA"


class CannotBuild(OSError):
    """What is missing, and what to do."""


def build(place: Path, include: Path | None = None) -> NullCuda:
    """Build the runtime for the torch of this Python.

    Args:
        place: gets the libraries.
        include: the directory of the CUDA headers, where they are not beside torch.

    Raises:
        CannotBuild: a compiler, the headers or a torch for CUDA is missing.
    """
    words = [sys.executable, RUNTIME / "build.py", place]
    words += [] if include is None else ["--include", include]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(done.stderr.strip())
    return NullCuda(place)
