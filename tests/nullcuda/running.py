"""Run Python processes that see CUDA devices which compute nothing."""

import subprocess
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"


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
        log: "Path | None" = None,
        kernel_ns: "int | None" = None,
        capability: "int | None" = None,
        name: str = "",
    ) -> dict[str, str]:
        """The variables with which a Python sees the devices.

        Args:
            devices: how many.
            log: file that gets a line for each launch, copy, synchronisation and capture.
            kernel_ns: nanoseconds for which a kernel keeps its stream busy.
            capability: of the devices, such as 90.
            name: of the devices.
        """
        env = {
            "LD_PRELOAD": str(self.place / "libnullcudart.so"),
            "LD_LIBRARY_PATH": str(self.place / "lib"),
            "FAKECUDA_DEVICES": str(devices),
        }
        given = {"LOG": log, "KERNEL_NS": kernel_ns, "CC": capability, "NAME": name or None}
        return env | {f"FAKECUDA_{key}": str(value) for key, value in given.items() if value}


def build(place: Path, include: Path) -> NullCuda:
    """Build the runtime.

    Args:
        place: gets the libraries.
        include: the directory of the CUDA headers that came with torch.
    """
    subprocess.run(
        [RUNTIME / "build.sh", place],
        check=True,
        env={"PATH": "/usr/bin:/bin", "CUDA12_INCLUDE": str(include)},
    )
    return NullCuda(place)
