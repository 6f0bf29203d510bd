"""PyTorch: the generators of the CPU and of every accelerator, and the determinism flags."""

from _thread import allocate_lock, start_new_thread

import torch

from seed_init.determinism import flags
from seed_init.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


PATIENCE = 5.0
"""Seconds for one draw, which takes a tenth of a millisecond, on a machine that is very busy."""


def seed(value: int) -> None:
    """Seed the CPU's default generator and that of every CUDA device.

    CUDA is not initialised for it: PyTorch queues the seed until something initialises it
    (torch/cuda/random.py, manual_seed_all), so that every later device gets it as well.

    Args:
        value: 0...4294967295.
    """
    torch.manual_seed(value)


def hold(others_draw: bool) -> bool:
    """Before a fork, wait for a thread that is drawing from the CPU's generator.

    Its lock is a C++ mutex, which Python can wait for but not keep: a thread that is about to
    draw may still take it. `is_locked` finds that out in the child.

    Args:
        others_draw: whether there are other threads.

    Returns:
        True.
    """
    if others_draw:
        torch.default_generator.get_state()
    return True


def release() -> None:
    """`hold` keeps nothing."""


def is_locked() -> bool:
    """In a forked child: True where the CPU generator's lock was taken along, for ever.

    To seed is to wait for it with the interpreter locked, so that the whole process would
    hang. A draw waits with the interpreter free (torch/csrc/autograd/python_variable.cpp and
    the generated bindings release it): let another thread try.
    """
    drawn = allocate_lock()
    drawn.acquire()

    def draw() -> None:
        torch.rand(1, device="cpu")
        drawn.release()

    start_new_thread(draw, ())
    return not drawn.acquire(timeout=PATIENCE)


def configure(settings: Settings) -> list[str]:
    """Set the flags of the level and its overrides.

    Args:
        settings: what this process was asked to do.

    Returns:
        One line for each flag that was set: its variable, value and origin.
    """
    lines = []
    for name, (value, origin) in flags(settings).items():
        SETTERS[name](value)
        lines.append(f"{name}={value} ({origin})")
    return lines


def _set_cudnn(flag: str) -> "Callable[[str], None]":
    return lambda value: setattr(torch.backends.cudnn, flag, value == "1")


def _set_matmul_tf32(value: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = value == "1"


def _set_algorithms(value: str) -> None:
    torch.use_deterministic_algorithms(value != "0", warn_only=value == "warn")


def _set_fill(value: str) -> None:
    torch.utils.deterministic.fill_uninitialized_memory = value == "1"


SETTERS: "dict[str, Callable[[str], None]]" = {
    "CUDNN_DETERMINISTIC": _set_cudnn("deterministic"),
    "CUDNN_BENCHMARK": _set_cudnn("benchmark"),
    "CUDNN_ALLOW_TF32": _set_cudnn("allow_tf32"),
    "TORCH_ALLOW_TF32": _set_matmul_tf32,
    "TORCH_DETERMINISTIC_ALGORITHMS": _set_algorithms,
    "TORCH_FILL_UNINITIALIZED_MEMORY": _set_fill,
}
"""Variable of the contract -> the torch flag it sets."""


def current() -> dict[str, str]:
    """The value of each flag at this moment, named and written as in the contract."""
    algorithms = {0: "0", 1: "warn", 2: "1"}[torch.get_deterministic_debug_mode()]
    return {
        "CUDNN_DETERMINISTIC": str(int(torch.backends.cudnn.deterministic)),
        "CUDNN_BENCHMARK": str(int(torch.backends.cudnn.benchmark)),
        "CUDNN_ALLOW_TF32": str(int(torch.backends.cudnn.allow_tf32)),
        "TORCH_ALLOW_TF32": str(int(torch.backends.cuda.matmul.allow_tf32)),
        "TORCH_DETERMINISTIC_ALGORITHMS": algorithms,
        "TORCH_FILL_UNINITIALIZED_MEMORY": str(
            int(torch.utils.deterministic.fill_uninitialized_memory)
        ),
    }
