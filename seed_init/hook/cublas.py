# SPDX-License-Identifier: Apache-2.0
"""Take CUBLAS_WORKSPACE_CONFIG out of this process's C environment when CUDA starts.

While the variable is there, PyTorch compiles a regular expression for every matrix product, which
costs the host more than all the rest of a small one (aten/src/ATen/cuda/CublasHandlePool.cpp,
getChosenWorkspaceSize). The products need it no longer: PyTorch gives every pair of handle and
stream a workspace of its own, which is what makes cuBLAS repeat its results
(https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility), and looks at the variable
once, to complain where it is missing (aten/src/ATen/Context.cpp,
alertCuBLASConfigNotDeterministic). From 2.10 on it does not even look.

`os.environ` keeps the variable, and so do programs that are started later: what starts them
without naming an environment takes that of C, so these functions are told to add it.
"""

import os
import posix
import sys
from itertools import count

from seed_init.hook import callers
from seed_init.hook import settings as contract
from seed_init.hook.startup import CUBLAS_DETERMINISTIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

NAME = contract.CUBLAS.encode()
VALUE = CUBLAS_DETERMINISTIC[0].encode()

OTHERS = ("cupy", "jax", "tensorflow")
"""Libraries with cuBLAS handles of their own, for whose streams the variable is what counts."""

CHECK = "_ZNK2at7Context33alertCuBLASConfigNotDeterministicEv"
"""PyTorch's look at the variable, whose outcome it keeps; in libtorch_cpu.so of 2.6 to 2.9."""

CONTEXT = "_ZN2at13globalContextEv"
"""What returns the object to call it on."""

LAST_CHECK = (2, 9)
"""The last release that looks at the variable."""


def hide(torch: "ModuleType") -> bool:
    """Take the variable out, if it is the hook's and nothing here needs it any more.

    To be called when CUDA starts, before the first product: PyTorch sets the size of a workspace
    at every product, so that one of another size must not be there.

    Args:
        torch: the module.

    Returns:
        Whether it was taken out.
    """
    if not contract.workspace_is_exported() or any(name in sys.modules for name in OTHERS):
        return False
    # PyTorch would raise under strict where the variable is not there to be looked at.
    if _in_c() != VALUE or not _is_checked(torch):
        return False
    _give_to_children()
    posix.unsetenv(NAME)
    torch._C._cuda_clearCublasWorkspaces()
    return True


def _in_c() -> "bytes | None":
    """Return the variable's value as C code reads it; None if C code does not find the variable."""
    import ctypes

    getenv = ctypes.PyDLL(None).getenv
    getenv.restype, getenv.argtypes = ctypes.c_char_p, [ctypes.c_char_p]
    value: bytes | None = getenv(NAME)
    return value


def _is_checked(torch: "ModuleType") -> bool:
    """Have PyTorch read the variable while it is set; return False if that cannot be done.

    By its own function and not by a product, which would make a context on whatever device is
    the current one when CUDA starts: on the first GPU, in each of the ranks that go on to
    another one.
    """
    from seed_init.hook import switches

    if switches.number(torch.__version__) > LAST_CHECK:
        return True
    import ctypes

    try:
        library = ctypes.PyDLL("libtorch_cpu.so", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        context, check = library[CONTEXT], library[CHECK]
    except (OSError, AttributeError):
        return False
    context.restype, context.argtypes = ctypes.c_void_p, []
    check.restype, check.argtypes = None, [ctypes.c_void_p]
    check(context())
    return True


def _give_to_children() -> None:
    """Have the functions that start programs with C's environment add the variable.

    And have `os.putenv` pass over a program, or a library of its, that sets the variable once more
    to what it is for it: PyTorch would take each workspace that is there for one of that size.
    """
    import _posixsubprocess

    stand_ins = {
        "system": _system(posix.system),
        "execv": _execv(posix.execv),
        "putenv": _putenv(posix.putenv),
    }
    for name, stand_in in stand_ins.items():
        # Both: pickle looks a function up in the module that it names.
        _replace(getattr(posix, name), stand_in, (posix, name), (os, name))
    original, subprocess = _posixsubprocess.fork_exec, sys.modules.get("subprocess")
    holders = (_posixsubprocess, "fork_exec"), (subprocess, "_fork_exec")
    _replace(original, _fork_exec(original), *holders)


def _replace(original: "Any", stand_in: "Any", *holders: "tuple[Any, str]") -> None:
    """Replace a function, unless a program has put another function in its place."""
    for module, name in holders:
        if getattr(module, name, None) is original:
            setattr(module, name, stand_in)


def _is_to_be_given() -> bool:
    return posix.environ.get(NAME) == VALUE


def _system(original: "Callable[[Any], int]") -> "Callable[[Any], int]":
    @callers.like(original)
    def system(command: "Any") -> int:
        if _is_to_be_given():
            command = b"export %b=%b\n%b" % (NAME, VALUE, os.fsencode(command))
        return original(command)

    return system


def _execv(original: "Callable[..., Any]") -> "Callable[..., Any]":
    @callers.like(original)
    def execv(path: "Any", argv: "Any", /) -> "Any":
        if _is_to_be_given():
            return posix.execve(path, argv, _environment())
        return original(path, argv)

    return execv


def _putenv(original: "Callable[..., None]") -> "Callable[..., None]":
    @callers.like(original)
    def putenv(name: "Any", value: "Any", /) -> None:
        if os.fsencode(name) != NAME or os.fsencode(value) != VALUE or _in_c() is not None:
            original(name, value)

    return putenv


ENVIRONMENT = 5
"""The place of the environment among the arguments of `_posixsubprocess.fork_exec`."""


def _fork_exec(original: "Callable[..., int]") -> "Callable[..., int]":
    @callers.like(original)
    def fork_exec(*arguments: "Any") -> int:
        if len(arguments) > ENVIRONMENT and arguments[ENVIRONMENT] is None and _is_to_be_given():
            listed = [b"%b=%b" % item for item in _environment().items()]
            arguments = (*arguments[:ENVIRONMENT], listed, *arguments[ENVIRONMENT + 1 :])
        return original(*arguments)

    return fork_exec


def _environment() -> dict[bytes, bytes]:
    """C's environment, where there may be what `os.environ` does not know, and the variable."""
    import ctypes

    entries = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.PyDLL(None), "environ")
    variables: dict[bytes, bytes] = {}
    for index in count():
        entry = entries[index]
        if entry is None:
            break
        name, _, value = entry.partition(b"=")
        if name:  # such an entry is no variable, and execve() of Python's refuses it
            variables.setdefault(name, value)
    # One that was set since.
    return {NAME: VALUE, **variables}
