# SPDX-License-Identifier: Apache-2.0
"""Who called one of the functions that we stand in for. `like` dresses such a stand-in."""

import sys

from seed_init.hook import like as like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

# Between the caller and us there may be: `Random.__init__`, our own modules, and the wrapper
# that torch.compile puts around torch.manual_seed (torch/_dynamo/__init__.py).
TRANSPARENT = (
    "random",
    "seed_init.hook.reseeding",
    "seed_init.proof.observer.instruments.seeds",
    "torch._dynamo.eval_frame",
    "torch._compile",
    "importlib._bootstrap",  # the body of a compiled module has no frame of its own
    "importlib._bootstrap_external",
)


def above(depth: int = 0) -> "FrameType | None":
    """The frame of whoever called the function that asks.

    Args:
        depth: how many frames further out.

    Returns:
        None where no code of Python's called it: a thread of PyTorch's engine for a device, the
        end of the interpreter and a thread that C has made call a function with nothing below it.
    """
    try:
        return sys._getframe(depth + 2)
    except ValueError:
        return None


def caller(*passed: str) -> "FrameType | None":
    """The frame of whoever called; call it from the function that stands in for another.

    Args:
        passed: packages whose frames are passed over as well.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_transparent(module_of(frame), passed):
        frame = frame.f_back
    return frame


def _is_transparent(module: str, passed: "tuple[str, ...]") -> bool:
    return (
        module in TRANSPARENT
        or module.startswith("seed_init.libraries.")
        or module.partition(".")[0] in passed
    )


def module_of(frame: "FrameType | None") -> str:
    """The name of the module that a frame runs in; "" if there is none."""
    name = frame.f_globals.get("__name__") if frame is not None else None
    return name if isinstance(name, str) else ""


def during_import(frame: "FrameType | None") -> bool:
    """True where a module is being imported that has, directly or not, called this frame."""
    while frame is not None:
        # The module's body; what it calls is above it.
        if frame.f_code.co_name == "<module>":
            spec = frame.f_globals.get("__spec__")
            if getattr(spec, "_initializing", False):
                return True
        frame = frame.f_back
    return False


def source(frame: "FrameType | None") -> str:
    """File and line, as `train.py:12`."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"
