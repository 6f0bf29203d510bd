# SPDX-License-Identifier: Apache-2.0
"""This module tells where each generator stands, as texts that are equal where positions are."""

import sys
from hashlib import blake2b
from typing import Any


def positions() -> dict[str, str]:
    """Return the position of each global generator whose library is imported.

    Returns:
        "random", "numpy", "torch", "cuda:0" and so on to a text. CUDA's is seed and offset, which
        are known on the host (aten/src/ATen/cuda/CUDAGeneratorImpl.cpp); it is absent during the
        capture of a graph, where asking is an error.
    """
    states: dict[str, str] = {}
    modules = sys.modules
    if "random" in modules and hasattr(modules["random"], "getstate"):
        states["random"] = _of_random(modules["random"])
    if "numpy.random" in modules and hasattr(modules["numpy.random"], "get_state"):
        states["numpy"] = _of_global_numpy(modules["numpy.random"])
    if hasattr(modules.get("torch"), "default_generator"):
        states |= _of_torch(modules["torch"])
    return states


def _of_random(random: Any) -> str:
    version, numbers, gauss = random.getstate()
    # The hash of whole numbers, and of a tuple of such, is the same in every process, and takes a
    # fifth of the time of packing and digesting 625 of them.
    return _short(repr((version, hash(numbers), gauss)).encode())


_numpy: tuple[Any, int, bytes, str] | None = None  # bit generator, address, memory, text


def _of_global_numpy(module: Any) -> str:
    """Return what `of_numpy` would, but compare the memory first: get_state copies slowly.

    What the memory of a Mersenne Twister does not show is the second number of a pair that
    `normal` has drawn and kept. So where one is kept the short way is not taken; where none is,
    none can come to be without a draw.
    """
    global _numpy
    state_of = getattr(module.get_state, "__self__", None)
    generator: Any = getattr(state_of, "_bit_generator", None)
    known = _numpy
    if known is not None and known[0] is generator and _memory(known[1]) == known[2]:
        return known[3]
    state = module.get_state(legacy=False)
    text = of_numpy(state)
    _numpy = None
    if type(generator).__name__ == "MT19937" and not state.get("has_gauss"):
        address = generator.ctypes.state_address
        memory = _memory(address)
        if memory[:2496] == state["state"]["key"].tobytes():  # the layout that we know
            _numpy = generator, address, memory, text
    return text


def _memory(address: int) -> bytes:
    """Return a Mersenne Twister's state: 624 numbers and an index (numpy/random/src/mt19937)."""
    import ctypes

    return ctypes.string_at(address, 2500)


def of_numpy(state: Any) -> str:
    """Return the position of a NumPy generator whose bit generator has this `state`."""
    if isinstance(state, dict):
        return _short(repr([(key, of_numpy(value)) for key, value in state.items()]).encode())
    return _short(state.tobytes()) if hasattr(state, "tobytes") else repr(state)


def _of_torch(torch: Any) -> dict[str, str]:
    states = {"torch": _of_torch_state(torch.default_generator.get_state())}
    cuda = torch.cuda
    if cuda.is_initialized() and not cuda.is_current_stream_capturing():
        for index, generator in enumerate(cuda.default_generators):
            states[f"cuda:{index}"] = f"{generator.initial_seed()}:{generator.get_offset()}"
    return states


_torch = b"", ""


def _of_torch_state(state: Any) -> str:
    import ctypes

    global _torch
    content = ctypes.string_at(state.data_ptr(), state.numel())
    if content != _torch[0]:
        _torch = content, _short(content)
    return _torch[1]


def _short(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
