# SPDX-License-Identifier: Apache-2.0
"""What only the process itself knows: its Python, torch's versions and flags, seeds, threads.

Four events, {"event": "facts", "moment": ...}:

- "start": the interpreter, the settings, the variables. Before user code.
- "torch": torch's versions and flags, right after its first import.
- "cuda": the versions of CUDA's libraries and the GPUs, where CUDA has started: in any process, as
  workers use them too.
- "end": what was seeded and with what, the flags and the numbers of threads that held at last, the
  versions of the libraries that use these threads.

Numbers of threads wait for the end, because asking for them sets them (aten/src/ATen/
ParallelOpenMP.cpp, lazy_init_num_threads), and the libraries with them. Nothing starts a device: a
program may choose its devices after the import of torch, or leave them to its children.
`torch.__config__.show()`, which has these versions as well, counts the devices
(aten/src/ATen/cuda/detail/CUDAHooks.cpp, showConfig), and with that the driver is started. From
PyTorch 2.10 on the version of cuDNN does so too.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from seed_init.hook import determinism, state, status
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.redaction import redaction

MODULES_MOST = 500
"""User modules that are named at the end; a program that generates its code could have any."""

_script = ""


def start() -> None:
    """Write the first facts, and wait for torch and for the end."""
    global _script
    kind, name = user_code.program()
    _script = os.path.abspath(name) if kind == "script" else ""  # noqa: PTH100
    core.journal.write("facts", moment="start", **_at_start())
    callbacks.after_import("torch", _torch_is_there)
    callbacks.at_end(_end)


def _at_start() -> dict[str, Any]:
    settings = state.settings
    rows = [] if settings.is_off else status.settings_in_order(settings)
    return {
        "main": state.is_main(),
        "cwd": os.getcwd(),  # noqa: PTH109  no Path is needed
        "python": _python(),
        "environment": redaction.variables(os.environ),
        "settings": [{"name": n, "value": v, "origin": o} for n, v, o in rows],
    }


def _python() -> dict[str, Any]:
    return {
        "version": sys.version.partition(" ")[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "hash_seed": os.environ.get("PYTHONHASHSEED") if status.hash_order_is_fixed() else None,
        "path": [entry for entry in sys.path if entry],
    }


def _torch_is_there() -> None:
    core.journal.write(
        "facts",
        moment="torch",
        path=[entry for entry in sys.path if entry],
        environment=redaction.variables(os.environ),
        torch=_versions(),
        flags=_flags(),
    )
    import torch

    # Called when the program starts CUDA, also in a forked child; at once where it has.
    torch.cuda._lazy_call(core.guarded(_cuda_is_there))


def _cuda_is_there() -> None:
    import torch

    core.journal.write(
        "facts",
        moment="cuda",
        libraries={"cudnn": _asked(torch.backends.cudnn.version), "nccl": _asked(_nccl)},
        devices=_devices(),
    )


def _versions() -> dict[str, Any]:
    import torch

    return {
        "version": torch.__version__,
        "git_commit": torch.version.git_version,
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "cpu_capability": _asked(lambda: torch.backends.cpu.get_cpu_capability()),
    }


def _nccl() -> str | None:
    import torch

    if not torch.version.cuda:
        return None
    version = torch.cuda.nccl.version()
    return ".".join(map(str, version)) if isinstance(version, tuple) else str(version)


def _libraries() -> dict[str, str | None]:
    """The versions of the libraries that torch computes with on a CPU."""
    import torch

    info = _asked(torch.__config__.parallel_info) or ""
    return {
        "mkl": _version_in(info, "Math Kernel Library Version ", "Intel(R) MKL "),
        "onednn": _version_in(info, "MKL-DNN ", "oneDNN "),
        "openmp": _version_in(info, "OpenMP "),
    }


def _version_in(info: str, *marks: str) -> str | None:
    """The word after one of some marks in the text of `torch.__config__.parallel_info()`."""
    for mark in marks:
        _, found, rest = info.partition(mark)
        words = rest.split()
        if found and words:
            return words[0].strip(",()").partition("-")[0]
    return None


def _asked(question: "Callable[[], Any]") -> Any:
    """An answer that some builds of torch do not have."""
    try:
        return question()
    except Exception:
        return None


def _flags() -> dict[str, Any]:
    """Every switch by which torch chooses algorithms or precision: those of the contract and more.

    Each is asked for by itself: no build of torch has all of them, and those of the precision
    raise where a program has used the newer ones beside them.
    """
    import torch

    from seed_init.libraries import torch_flags as library

    backends = torch.backends
    matmul = backends.cuda.matmul
    more: dict[str, Callable[[], Any]] = {
        "float32_matmul_precision": torch.get_float32_matmul_precision,
        "allow_fp16_reduced_precision_reduction": lambda: (
            matmul.allow_fp16_reduced_precision_reduction
        ),
        "allow_bf16_reduced_precision_reduction": lambda: (
            matmul.allow_bf16_reduced_precision_reduction
        ),
        "cudnn_enabled": lambda: backends.cudnn.enabled,
        "flash_sdp": lambda: backends.cuda.flash_sdp_enabled(),
        "mem_efficient_sdp": lambda: backends.cuda.mem_efficient_sdp_enabled(),
        "math_sdp": lambda: backends.cuda.math_sdp_enabled(),
        "cudnn_sdp": lambda: backends.cuda.cudnn_sdp_enabled(),
        "mkldnn_enabled": lambda: backends.mkldnn.enabled,
        "mkldnn_deterministic": lambda: backends.mkldnn.deterministic,
        "default_dtype": lambda: str(torch.get_default_dtype()).removeprefix("torch."),
    }
    for backend, operator in _PRECISIONS:
        more[f"fp32_precision_{backend}_{operator}"] = partial(
            lambda *of: torch._C._get_fp32_precision_getter(*of), backend, operator
        )
    flags: dict[str, Any] = library.now()
    for name, question in more.items():
        try:
            flags[name] = question()
        except AttributeError:
            continue  # a build without it
        except Exception:
            flags[name] = determinism.UNKNOWN
    return flags


_PRECISIONS = (
    ("generic", "all"),
    *(("cuda", operator) for operator in ("all", "matmul", "conv", "rnn")),
    *(("mkldnn", operator) for operator in ("all", "matmul", "conv", "rnn")),
)
"""Backends and operators of the newer flags of the precision (torch/backends/__init__.py)."""


def _end() -> None:
    if not state.is_main():
        return
    fields: dict[str, Any] = {"moment": "end", "modules": _modules(), "seeds": _seeds()}
    fields["path"] = [entry for entry in sys.path if entry]
    fields["environment"] = redaction.variables(os.environ)
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_num_threads"):
        fields |= {"flags": _flags(), "threads": _threads()}
        fields["libraries"] = _libraries()
        fields["distributed"] = _distributed()
    # An uncaught exception stays here when it has been printed; SystemExit leaves nothing.
    raised = getattr(sys, "last_value", None)
    fields["raised"] = type(raised).__name__ if raised is not None else None
    core.journal.write("facts", **fields)


def _seeds() -> dict[str, Any]:
    """What seeded this process: see `seed_init.status`."""
    told = status.status()
    kept = ("seed", "restart", "path", "seeded", "unseeded", "reseeded", "not_covered")
    return {name: told[name] for name in kept}


def _modules() -> list[str]:
    """The files of the user's own modules that were imported."""
    found = [getattr(module, "__file__", None) for module in _modules_of_others()]
    if _script:
        found.append(_script)  # Python takes __main__.__file__ away before it exits
    own = {
        os.path.abspath(file)  # noqa: PTH100
        for file in found
        if isinstance(file, str) and user_code.is_user_file(file)
    }
    # torch has modules whose file is a mere name.
    return [file for file in sorted(own) if os.path.isfile(file)][:MODULES_MOST]  # noqa: PTH113


def _modules_of_others() -> list[Any]:
    ours = ("seed_init", "_seed_init_startup", "sitecustomize")
    modules = list(sys.modules.items())
    return [module for name, module in modules if name.partition(".")[0] not in ours]


def _threads() -> dict[str, int]:
    import torch

    return {"intraop": torch.get_num_threads(), "interop": torch.get_num_interop_threads()}


def _devices() -> list[dict[str, Any]]:
    """The GPUs that this process sees. CUDA must have started, or be about to have."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": properties.name,
                "uuid": str(getattr(properties, "uuid", "")) or None,
                "capability": f"{properties.major}.{properties.minor}",
                "memory": properties.total_memory,
                "processors": properties.multi_processor_count,
            }
        )
    return found


def _distributed() -> str | None:
    """The backend of torch.distributed, where a group is there still."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not _asked(distributed.is_initialized):
        return None
    backend: str | None = _asked(distributed.get_backend)
    return backend
