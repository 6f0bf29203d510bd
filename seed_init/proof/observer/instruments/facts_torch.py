# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `facts` needs torch: it writes torch's versions and flags.

Numbers of threads wait for the end, because asking for them sets them (aten/src/ATen/
ParallelOpenMP.cpp, lazy_init_num_threads), and the libraries with them. Nothing starts a device: a
program may choose its devices after the import of torch, or leave them to its children.
`torch.__config__.show()`, which has these versions as well, counts the devices
(aten/src/ATen/cuda/detail/CUDAHooks.cpp, showConfig), and with that the driver is started. From
PyTorch 2.10 on the version of cuDNN does so too.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from seed_init.hook import determinism
from seed_init.libraries import torch_flags
from seed_init.proof.observer import core
from seed_init.proof.observer.instruments import facts

_PRECISIONS = (
    ("generic", "all"),
    *(("cuda", operator) for operator in ("all", "matmul", "conv", "rnn")),
    *(("mkldnn", operator) for operator in ("all", "matmul", "conv", "rnn")),
)
"""Backends and operators of the newer flags of the precision (torch/backends/__init__.py)."""


def install() -> None:
    """Write the facts of torch, and wait for the start of CUDA."""
    core.journal.write(
        "facts",
        moment="torch",
        path=facts.path(),
        environment=facts.environment(),
        torch=_versions(),
        flags=flags(),
    )
    # Called when the program starts CUDA, also in a forked child; at once where it has.
    torch.cuda._lazy_call(core.guarded(_cuda_is_there))


def at_end() -> dict[str, Any]:
    """Return what is known of torch at the end: flags, threads, libraries, distributed."""
    return {
        "flags": flags(),
        "threads": _threads(),
        "libraries": _libraries(),
        "distributed": _distributed(),
    }


def flags() -> dict[str, Any]:
    """Return every switch by which torch chooses algorithms or precision, also beyond the contract.

    Each switch is asked for by itself: no build of torch has all of them, and the former switches
    of the precision raise where a program has used the newer ones.
    """
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
    values: dict[str, Any] = torch_flags.now()
    for name, question in more.items():
        try:
            values[name] = question()
        except AttributeError:
            continue  # a build without it
        except Exception:
            values[name] = determinism.UNKNOWN
    return values


def _cuda_is_there() -> None:
    core.journal.write(
        "facts",
        moment="cuda",
        libraries={"cudnn": _asked(torch.backends.cudnn.version), "nccl": _asked(_nccl)},
        devices=_devices(),
    )


def _versions() -> dict[str, Any]:
    return {
        "version": torch.__version__,
        "git_commit": torch.version.git_version,
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "cpu_capability": _asked(lambda: torch.backends.cpu.get_cpu_capability()),
    }


def _nccl() -> str | None:
    if not torch.version.cuda:
        return None
    version = torch.cuda.nccl.version()
    return ".".join(map(str, version)) if isinstance(version, tuple) else str(version)


def _libraries() -> dict[str, str | None]:
    """Return the versions of the libraries that torch computes with on a CPU."""
    info = _asked(torch.__config__.parallel_info) or ""
    return {
        "mkl": _version_in(info, "Math Kernel Library Version ", "Intel(R) MKL "),
        "onednn": _version_in(info, "MKL-DNN ", "oneDNN "),
        "openmp": _version_in(info, "OpenMP "),
    }


def _version_in(info: str, *marks: str) -> str | None:
    """Return the word after one of some marks in the text of `torch.__config__.parallel_info()`."""
    for mark in marks:
        _, separator, rest = info.partition(mark)
        words = rest.split()
        if separator and words:
            return words[0].strip(",()").partition("-")[0]
    return None


def _asked(question: "Callable[[], Any]") -> Any:
    """Return the answer to a question; None where this build of torch has no answer."""
    try:
        return question()
    except Exception:
        return None


def _threads() -> dict[str, int]:
    return {"intraop": torch.get_num_threads(), "interop": torch.get_num_interop_threads()}


def _devices() -> list[dict[str, Any]]:
    """Return the GPUs that this process sees. CUDA must have started, or be about to have."""
    devices = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(
            {
                "name": properties.name,
                "uuid": str(getattr(properties, "uuid", "")) or None,
                "capability": f"{properties.major}.{properties.minor}",
                "memory": properties.total_memory,
                "processors": properties.multi_processor_count,
            }
        )
    return devices


def _distributed() -> str | None:
    """Return the backend of torch.distributed; None where there is no group any more."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not _asked(distributed.is_initialized):
        return None
    backend: str | None = _asked(distributed.get_backend)
    return backend
