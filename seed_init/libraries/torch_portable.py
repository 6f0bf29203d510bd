# SPDX-License-Identifier: Apache-2.0
"""PyTorch under level `portable`: what its variables do not reach, and whether they were obeyed."""

import torch

from seed_init.hook import portability, refusals, say, state
from seed_init.hook.settings import THREADS
from seed_init.libraries import (
    machine_code,
    torch_division,
    torch_mkl,
    torch_onednn,
    torch_portable_kernels,
    torch_sqrt,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.hook.settings import Settings

_threads = 0


def install(settings: "Settings") -> list[str]:
    """Choose MKL's branch and kernels, refuse a PyTorch that has not taken the level's variables.

    Args:
        settings: what this process was asked to do.

    Returns:
        One line for each thing that was set.

    Raises:
        Refusal: the level cannot be kept in this process.
    """
    global _threads
    _threads = portability.threads(settings.values)
    mkl = torch_mkl.choose()
    _check(mkl)
    torch_portable_kernels.install()
    exact = _compute_exactly()
    _tell_when_cuda_starts()
    lines = [f"MKL_CBWR={mkl}" if mkl else "", torch_onednn.choose(), _choose_engine(), exact]
    return [f"{line} (DETERMINISM=portable)" for line in lines if line]


def changes() -> list[str]:
    """What the program has changed that the level had set, a text each."""
    count = torch.get_num_threads()
    if count == _threads:
        return []
    return [f"torch.get_num_threads() is {count}, not {_threads} ({THREADS})"]


def _compute_exactly() -> str:
    """Have complex64 divided, and square roots taken, without approximations."""
    try:
        torch_division.choose()
        return "sqrt is rounded correctly" if torch_sqrt.choose() else ""
    except torch_division.NotAsExpected as error:
        raise refusals.Refusal(
            "DETERMINISM=portable cannot be kept: the division of complex64 cannot be made exact "
            f"with PyTorch {torch.__version__} ({error}); use PyTorch 2.6"
        ) from None
    except machine_code.NoMemory as error:
        raise refusals.Refusal(
            "DETERMINISM=portable cannot be kept: the system gives no memory for instructions "
            f"({error}), which the exact sqrt and division need; allow this process execmem"
        ) from None


def _choose_engine() -> str:
    """Take FBGEMM for quantized operators where the engine x86 would choose by the CPU.

    That engine gives some of them to oneDNN on a CPU with VNNI (ATen/native/quantized/cpu/
    OnednnUtils.h, should_use_onednn_quant).
    """
    quantized = torch.backends.quantized
    if quantized.engine != "x86" or "fbgemm" not in quantized.supported_engines:
        return ""
    quantized.engine = "fbgemm"
    return "torch.backends.quantized.engine=fbgemm"


def _check(mkl: str) -> None:
    if mkl == torch_mkl.REFUSED:
        raise refusals.Refusal(
            "DETERMINISM=portable cannot be kept: PyTorch's MKL does not take its AVX2 branch on "
            "this CPU; use a CPU of Intel, AMD, Zhaoxin or Hygon with AVX2, or DETERMINISM=strict"
        )
    for what, now, needed in (
        ("PyTorch's instruction set", torch.backends.cpu.get_cpu_capability(), "AVX2"),
        ("the number of PyTorch's threads", torch.get_num_threads(), _threads),
        ("MKL's branch", mkl, mkl if mkl in ("", "COMPATIBLE") else "AVX2"),
    ):
        if now != needed:
            raise refusals.Refusal(
                f"DETERMINISM=portable cannot be kept: {what} is {now} and not {needed}; "
                "use an x86-64 CPU with AVX2 and FMA, let the hook start before torch, and leave "
                "the variables of the level to the hook"
            )


def _tell_when_cuda_starts() -> None:
    """Have `_tell` called when CUDA starts, as `torch._wait_for_cuda` does."""
    calls = getattr(torch.cuda, "_queued_calls", None)
    if torch.cuda.is_initialized():
        _tell()
    elif isinstance(calls, list) and torch.cuda._is_compiled():
        calls.append((_tell, ["queued by seed_init\n"]))


def _tell() -> None:
    if state.is_main():
        say(
            "DETERMINISM=portable is kept on the CPU; on a GPU the same bits hold for one model "
            "of GPU only: deterministic algorithms, no search of cuDNN's, cuBLAS' workspace pinned"
        )
