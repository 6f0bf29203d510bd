"""Where each generator stands: a short text by generator, equal where the position is."""

import sys
from array import array
from hashlib import blake2b
from typing import Any


def positions() -> dict[str, str]:
    """The position of each global generator whose library is imported.

    Returns:
        "random", "numpy", "torch", "cuda:0" and so on to a text. CUDA's is seed and offset, which
        are known on the host (aten/src/ATen/cuda/CUDAGeneratorImpl.cpp); it is absent during the
        capture of a graph, where asking is an error.
    """
    found: dict[str, str] = {}
    modules = sys.modules
    if "random" in modules and hasattr(modules["random"], "getstate"):
        found["random"] = _of_random(modules["random"])
    if "numpy.random" in modules and hasattr(modules["numpy.random"], "get_state"):
        found["numpy"] = of_numpy(modules["numpy.random"].get_state(legacy=False))
    if hasattr(modules.get("torch"), "default_generator"):
        found |= _of_torch(modules["torch"])
    return found


def _of_random(random: Any) -> str:
    version, numbers, gauss = random.getstate()
    return _short(array("I", numbers).tobytes() + repr((version, gauss)).encode())


def of_numpy(state: Any) -> str:
    """The position of a NumPy generator whose bit generator has this `state`."""
    if isinstance(state, dict):
        return _short(repr([(key, of_numpy(value)) for key, value in state.items()]).encode())
    return _short(state.tobytes()) if hasattr(state, "tobytes") else repr(state)


def _of_torch(torch: Any) -> dict[str, str]:
    from seed_init.proof.observer.fingerprints import number

    found = {"torch": f"{number(torch.default_generator.get_state()):016x}"}
    cuda = torch.cuda
    if cuda.is_initialized() and not cuda.is_current_stream_capturing():
        for index, generator in enumerate(cuda.default_generators):
            found[f"cuda:{index}"] = f"{generator.initial_seed()}:{generator.get_offset()}"
    return found


def _short(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
