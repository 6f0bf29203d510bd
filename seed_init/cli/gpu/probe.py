# SPDX-License-Identifier: Apache-2.0
"""Ask torch for its devices and multiply on each: a program of its own.

    python probe.py

A driver can hang, and a library can crash, and neither may end the process that asks. Each line of
JSON is printed at once, so that the last line says how far the program came.
"""

import contextlib
import ctypes
import json
import sys
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    """Print the driver, torch, its devices, and the result of a product on each device."""
    here = str(Path(__file__).parent)
    # The modules beside this file are no modules of the user's torch.
    sys.path[:] = [path for path in sys.path if path != here]
    warnings.simplefilter("ignore")
    tell("driver", **driver())
    try:
        import torch
    except Exception as error:  # a missing shared library is an OSError
        tell("no torch", error=first_line(error))
        return
    tell("torch", **build(torch))
    tell("cudnn", version=cudnn(torch))
    kind = usable(torch)
    if kind is None:
        tell("none", error=start(torch))
        return
    module = torch.get_device_module(kind)
    count = module.device_count()
    tell("usable", kind=kind, count=count, archs=architectures(module))
    for index in range(count):
        tell("device", index=index, **device(torch, module, index))
        tell("tried", index=index, error=product(torch, f"{kind}:{index}"))
    tell("end")


def tell(what: str, **values: Any) -> None:
    # A line of its own, after what a library has printed without ending its line.
    print("\n" + json.dumps({"what": what, **values}), flush=True)


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def driver() -> dict[str, Any]:
    """Whether NVIDIA's driver library can be loaded, and the CUDA version that it is for.

    The version is 1000 * major + 10 * minor, as cuDriverGetVersion has it; 0 where it is not known.
    """
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return {"library": False, "version": 0}
    version = ctypes.c_int(0)
    with contextlib.suppress(AttributeError):
        library.cuDriverGetVersion(ctypes.byref(version))
    return {"library": True, "version": version.value}


def build(torch: Any) -> dict[str, Any]:
    """What this torch was built for."""
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "xpu": getattr(torch.version, "xpu", None),
        "mps": torch.backends.mps.is_built(),
    }


def cudnn(torch: Any) -> int | None:
    """The version of cuDNN. From 2.10 on the question starts the driver."""
    try:
        version: int | None = torch.backends.cudnn.version()
    except Exception:  # cuDNN is another one than that of the build
        return None
    return version


def usable(torch: Any) -> str | None:
    """The type of the devices that torch can use, such as "cuda"; None where there are none.

    torch.accelerator is in 2.6 and newer; it knows the devices of other packages as well.
    """
    if torch.cuda.is_available():
        return "cuda"
    if hasattr(torch, "accelerator"):
        if torch.accelerator.is_available():
            return str(torch.accelerator.current_accelerator().type)
        return None
    for kind in ("xpu", "mps"):
        if hasattr(torch, kind) and torch.get_device_module(kind).device_count():
            return kind
    return None


def start(torch: Any) -> str | None:
    """Why CUDA, or what stands in its place in this build, does not start."""
    xpu = getattr(torch.version, "xpu", None)
    module = torch.xpu if xpu else torch.cuda
    if not (xpu or torch.version.cuda or torch.version.hip):
        return None
    try:
        module.init()
    except Exception as error:
        return first_line(error)
    return None


def architectures(module: Any) -> list[str]:
    try:
        return list(module.get_arch_list())
    except Exception:  # Apple's GPU has no such list
        return []


def device(torch: Any, module: Any, index: int) -> dict[str, Any]:
    """Name, compute capability (NVIDIA) and architecture (AMD) of a device."""
    try:
        properties = module.get_device_properties(index)
    except Exception:  # Apple's GPU has no properties; those of a broken one cannot be read
        return {"name": "GPU", "capability": None, "architecture": None}
    # A build for CUDA puts the name into gcnArchName (torch/csrc/cuda/Module.cpp).
    architecture = properties.gcnArchName if torch.version.hip else None
    capability = [properties.major, properties.minor] if torch.version.cuda else None
    return {"name": properties.name, "capability": capability, "architecture": architecture}


def product(torch: Any, device: str) -> str | None:
    """Multiply on a device and wait for the result; the first line of the error, if any.

    The product is cuBLAS's; filling and adding up are kernels of torch's own.
    """
    try:
        x = torch.full((64, 64), 2.0, device=device)
        (x @ x).sum().item()
    except Exception as error:
        return first_line(error)
    return None


if __name__ == "__main__":
    main()
