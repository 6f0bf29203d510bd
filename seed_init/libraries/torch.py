# SPDX-License-Identifier: Apache-2.0
"""PyTorch: the generators of the CPU and of every accelerator, and the determinism flags."""

from _thread import allocate_lock, start_new_thread

import torch

from seed_init.hook import callers, debug, determinism, drift, reseeding, switches, unseeded
from seed_init.hook import settings as contract
from seed_init.libraries import Library, torch_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from seed_init.hook.settings import Settings

PATIENCE = 5.0
"""Seconds for one draw, which takes a tenth of a millisecond, on a machine that is very busy."""


_manual_seed = torch.manual_seed
_cuda_manual_seed_all = torch.cuda.manual_seed_all


def _tracker() -> "dict[str, Any] | None":
    """The attributes of what keeps seeds until CUDA starts (torch/cuda/__init__.py)."""
    tracker = getattr(torch.cuda, "_lazy_seed_tracker", None)
    return vars(tracker) if tracker is not None else None


NO_BACKEND = "privateuseone"
"""The name of the backend that PyTorch leaves to others, while nobody has taken it."""

_in_fork: "tuple[Any, ...] | None" = None
"""What `seed_in_fork` needs, at hand: each look into a module costs the child a copied page."""


def _prepare_for_forks() -> None:
    global _in_fork
    cuda = torch.cuda
    if hasattr(cuda, "_lazy_seed_tracker") and not _has_other_devices():
        # Not torch.version.cuda, which is None for a build for ROCm: that is torch.cuda as well.
        is_compiled = cuda._is_compiled()
        _in_fork = (
            torch.default_generator.manual_seed,
            cuda._lazy_seed_tracker if is_compiled else None,
            torch._C._get_privateuse1_backend_name,
        )
        if is_compiled and not cuda.is_initialized():
            _queue_latest(cuda._lazy_seed_tracker)


def _has_other_devices() -> bool:
    """True where `torch.manual_seed` seeds more than the CPU and what torch.cuda stands for.

    Their generators have ways of their own to wait for a start (torch/random.py, manual_seed).
    """
    backends: list[Any] = [torch.xpu, getattr(torch, "mtia", None)]
    return torch.backends.mps.is_built() or any(
        backend._is_compiled() for backend in backends if hasattr(backend, "_is_compiled")
    )


_latest = 0  # the seed that this process was given last by us


def _seed_cuda() -> None:
    """Give CUDA this process's seed when CUDA starts, unless CUDA was seeded otherwise since."""
    for generator in torch.cuda.default_generators:
        generator.manual_seed(_latest)


QUEUED = (_seed_cuda, ["seeded by seed_init\n"])
"""A call to be made when CUDA starts, and what stands for the stack in an error of it."""


def _queue_latest(tracker: "Any") -> None:
    tracker.queue_seed_all(*QUEUED)
    tracker.manual_seed_all_cb = QUEUED
    tracker.call_order[-1] = QUEUED


def _explicit(name: str, original: "Callable[[Any], Any]") -> "Callable[[Any], Any]":
    @callers.like(original)
    def stand_in(seed: "Any") -> "Any":
        used = reseeding.seed_for(name, _taken(seed))
        return original(seed if used is None else used)

    return stand_in


def _taken(seed: "Any") -> int | None:
    """Return a seed as torch takes it; None if torch will refuse the seed with its own message."""
    try:
        number = int(seed)
    except Exception:
        return None
    # Negative numbers stand for those of 64 bits (torch/random.py, manual_seed).
    return number % 2**64 if -(2**63) <= number < 2**64 else None


def _drawn(
    name: str, original: "Callable[[], Any]", seed: "Callable[[int], Any]"
) -> "Callable[[], Any]":
    """Return a stand-in for a function that seeds from the operating system.

    Args:
        name: the function, as the user calls it.
        original: that function.
        seed: the one that does the same with a given seed.
    """
    returns_it = name == "torch.seed"

    @callers.like(original)
    def stand_in() -> "Any":
        value = unseeded.entropy("torch", f"{name}()", callers.caller())
        if value is None:
            return original()
        # The low 32 bits differ from one call to the next; the CPU's generator uses no more.
        value %= 2**64
        seed(value)
        return value if returns_it else None

    return stand_in


def _wait_for_cuda() -> None:
    """Have `cublas.hide` called when CUDA starts.

    Not by `torch.cuda._lazy_call`, which formats the stack for an error that is none here.
    """
    calls = getattr(torch.cuda, "_queued_calls", None)
    if (
        contract.workspace_is_exported()
        and isinstance(calls, list)
        and torch.cuda._is_compiled()
        and not torch.cuda.is_initialized()
    ):
        calls.append((_hide_workspace, ["queued by seed_init\n"]))


def _hide_workspace() -> None:
    try:
        # In here: a package that was upgraded since this process started may not fit the rest.
        from seed_init.hook import cublas

        cublas.hide(torch)
    except Exception as error:
        debug(f"{contract.CUBLAS} stays as it is: {error}")


class Torch(Library):
    """The generators of the CPU and of every accelerator, and the determinism flags."""

    def seed(self, value: int) -> None:
        """Seed the CPU's default generator and that of every CUDA device.

        CUDA is not initialised for it: PyTorch queues the seed until something initialises it
        (torch/cuda/random.py, manual_seed_all), so that every later device gets it as well.

        Args:
            value: 0...4294967295.
        """
        global _latest
        _latest = value
        _manual_seed(value)

    def seed_again(self, value: int) -> None:
        """As `seed`; where CUDA has not started without formatting the stack, as in a fork."""
        if torch.cuda.is_initialized():
            self.seed(value)
        else:
            self.seed_in_fork(value)

    def state(self) -> "dict[str, Any]":
        """The states of the default generators, for `restore`; of CUDA's where CUDA has started."""
        started, tracker = torch.cuda.is_initialized(), _tracker()
        return {
            "seed": torch.initial_seed(),
            "latest": _latest,
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if started else None,
            # What is to be called when CUDA starts: seeds that the user has given it.
            "queued": {**tracker, "call_order": list(tracker["call_order"])} if tracker else None,
        }

    def restore(self, state: "dict[str, Any]") -> None:
        """Put back what `state` gave.

        If CUDA was not initialised when the state was saved, its generators are not restored but
        seeded, with the seed that was saved.
        """
        global _latest
        _latest = state["latest"]
        torch.set_rng_state(state["cpu"])
        tracker = _tracker()
        if state["cuda"] is not None:
            torch.cuda.set_rng_state_all(state["cuda"])
        elif tracker is None or state["queued"] is None or torch.cuda.is_initialized():
            _cuda_manual_seed_all(state["seed"])
        else:
            tracker.update(state["queued"], call_order=list(state["queued"]["call_order"]))

    def seed_in_fork(self, value: int) -> bool:
        """As `seed`, in a forked child.

        There `torch.manual_seed` is slow: for each kind of device it formats the stack, for an
        error that starting the device might raise. CUDA, which a child cannot use where its
        parent has, gets its seed as it does there, when it starts (torch/cuda/__init__.py,
        _lazy_call): a call that the parent has queued asks for the latest seed.

        Args:
            value: 0...4294967295.
        """
        if _in_fork is None or _in_fork[2]() != NO_BACKEND:
            self.seed(value)
            return True
        global _latest
        _latest = value
        manual_seed, tracker, _ = _in_fork
        manual_seed(value)
        # Somebody else's call may have come after ours.
        if tracker is not None and (not tracker.call_order or tracker.call_order[-1] is not QUEUED):
            _queue_latest(tracker)
        return True

    def watch(self) -> None:
        """Have the functions that seed ask us: those that get a seed and those that draw one."""
        if torch.random.manual_seed is not _manual_seed:
            return
        _prepare_for_forks()
        explicit = _explicit("torch.manual_seed", _manual_seed)
        cuda_one, cuda_all = torch.cuda.manual_seed, torch.cuda.manual_seed_all

        @callers.like(_manual_seed)
        def manual_seed(seed: "Any") -> torch.Generator:
            generator: torch.Generator = explicit(seed)
            if callers.module_of(callers.caller()) == "torch.utils.data._utils.worker":
                unseeded.enter_loader_worker(seed)
            return generator

        # Both names: torch._dynamo wraps the first only where it is the second.
        torch.random.manual_seed = manual_seed
        torch_flags.replace("manual_seed", manual_seed)
        torch.random.seed = _drawn("torch.seed", torch.random.seed, _manual_seed)
        torch_flags.replace("seed", torch.random.seed)
        stand_ins = {
            "manual_seed": _explicit("torch.cuda.manual_seed", cuda_one),
            "manual_seed_all": _explicit("torch.cuda.manual_seed_all", cuda_all),
            "seed": _drawn("torch.cuda.seed", torch.cuda.seed, cuda_one),
            "seed_all": _drawn("torch.cuda.seed_all", torch.cuda.seed_all, cuda_all),
        }
        for name, stand_in in stand_ins.items():
            setattr(torch.cuda, name, stand_in)
            setattr(torch.cuda.random, name, stand_in)

    def lock_generators(self) -> bool:
        """Before a fork, wait for a thread that is drawing from the CPU's generator.

        Its lock is a C++ mutex, which Python can wait for but not keep: a thread that is about to
        draw may still take it. `is_locked` finds that out in the child.

        Returns:
            True.
        """
        torch.default_generator.get_state()
        return True

    def is_locked(self) -> bool:
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

    def configure(self, settings: "Settings") -> list[str]:
        """Set the flags of the level, its overrides, and the variables of libraries beside torch.

        Args:
            settings: what this process was asked to do.

        Returns:
            One line for each flag and variable that was set: its name, value and origin.

        Raises:
            Refusal: a variable in the environment contradicts the level strict.
        """
        lines = []
        wanted = determinism.wanted(settings)
        others: Callable[[], list[str]] = list
        if settings.determinism == "portable":
            from seed_init.libraries import torch_portable

            lines += torch_portable.install(settings)
            others = torch_portable.changes
        if wanted.get(determinism.ALGORITHMS, ("",))[0] == "warn":
            from seed_init.libraries import torch_attention

            lines += torch_attention.install(settings)
        for name, (value, origin) in wanted.items():
            torch_flags.put(name, value)
            lines.append(f"{name}={value} ({origin})")
        lines += switches.export(settings, torch.__version__)
        _wait_for_cuda()
        if wanted:
            torch_flags.follow()
            drift.watch(settings, torch_flags.now, torch_flags.source_of, others)
        return lines

    def flags(self) -> "dict[str, str]":
        """The determinism flags at this moment: variable of the contract -> value."""
        return torch_flags.now()


library = Torch()
