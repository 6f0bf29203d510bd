# SPDX-License-Identifier: Apache-2.0
"""This module writes every operator that PyTorch dispatches, with its operands and results.

The operator to look at is the first that got equal operands in two runs and gave unequal results.
Operands are read before the operator runs, because it may change them. Memory that no operator has
written yet (torch.empty) is no operand: its contents are left over from something else. The result
of a collective is not there yet when the collective returns.
"""

from hashlib import blake2b
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seed_init.hook import callers
from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.closely import batches, modules, state
from seed_init.proof.observer.tensors import digests, generators
from seed_init.proof.observer.tensors.dense import shape_of
from seed_init.proof.observer.tensors.fingerprints import number_of_storage

UNINITIALISED = (
    "empty",
    "new_empty",
    "empty_like",
    "empty_strided",
    "new_empty_strided",
    "resize_",
)

_modes: "list[_Seeing]" = []
"""Those that are entered."""


def install() -> None:
    """Enter the mode while the window is open."""

    def opened() -> None:
        _modes.append(_Seeing())
        _modes[-1].__enter__()

    def closed() -> None:
        # A mode of the program's own that was entered later must go first, and each thread has
        # modes of its own. What stays entered must stay alive as well: PyTorch crashes else.
        if _modes and torch._C._len_torch_dispatch_stack() and _innermost() is _modes[-1]:
            _modes.pop().__exit__(None, None, None)

    state.during(opened, closed)


def _innermost() -> Any:
    return torch._C._get_dispatch_stack_at(torch._C._len_torch_dispatch_stack() - 1)


class _Seeing(TorchDispatchMode):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.unwritten: set[int] = set()  # storages
        # Forward operators by the sequence number of the node that will run their backward.
        self.forward: dict[int, dict[str, Any]] = {}
        self.next = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        keywords = keywords or {}
        if (
            not state.is_open
            or core.here.observing
            or batches.arriving
            or operator.namespace == "profiler"  # marks, whose operands are addresses
        ):
            return operator(*arguments, **keywords)
        before = self.before(operator, arguments, keywords)
        result = operator(*arguments, **keywords)
        self.after(operator, before, arguments, keywords, result)
        return result

    @core.guarded
    def before(self, operator: Any, arguments: Any, keywords: Any) -> dict[str, Any]:
        """Return what is known of an operator before it runs."""
        operands = [self._shown(value) for value in arguments]
        operands += [f"{key}={self._shown(value)}" for key, value in keywords.items()]
        if torch.Tag.nondeterministic_seeded in operator.tags and not is_capturing():
            drawn_from = [value for value in _flat((arguments, keywords)) if _is_generator(value)]
            where = (
                digests.digest(drawn_from[0].get_state())
                if drawn_from
                else repr([(k, v) for k, v in generators.positions().items() if k not in _HOST])
            )
            operands.append(f"generator={where}")
        return {"operands": operands, **self._context()}

    @core.guarded
    def after(self, operator: Any, before: Any, arguments: Any, keywords: Any, result: Any) -> None:
        """Write an operator that has run."""
        name = operator._schema.name
        if name.rpartition("::")[2] in UNINITIALISED:
            self.unwritten |= _storages(result)
            results = "uninitialised"
        elif operator.namespace in ("c10d", "_c10d_functional"):
            results = "under way"
        else:
            self.unwritten -= self._written(operator, arguments, keywords)
            # A new storage may have the address of one that was freed before anybody wrote it.
            self.unwritten -= _storages(result) - _storages([arguments, keywords])
            changed = [arguments, keywords] if operator._schema.is_mutable else []
            results = self._digest([result, changed])
        state.write("operator", name=name, results=results, **(before or {}))

    def _context(self) -> dict[str, Any]:
        """Return where an operator runs: line, module, and in a backward pass the node."""
        inner = callers.above(1)
        node: Any = torch._C._current_autograd_node()
        context = user_code.source(user_code.user_frame(inner))
        if node is not None and not context:  # the engine's thread for a device has no frame
            context = dict(state.backward_from)
        if modules.stack:
            context["module"] = modules.stack[-1]
        if batches.current is not None:
            context["batch"] = batches.current
        if node is not None:
            context["node"] = node.name()
            forward = self.forward.get(node._sequence_nr(), {})
            # A function of the user's own that runs in the backward pass has lines of its own.
            is_own = context.get("file") and user_code.source_of(context) != state.backward_from
            return context | forward | (user_code.source_of(context) if is_own else {})
        # The node of an operator is made just before it runs.
        following = torch.autograd._get_sequence_nr()
        if following > self.next:
            self.forward[following - 1] = dict(context)
            self.next = following
        return context

    def _written(self, operator: Any, arguments: Any, keywords: Any) -> set[int]:
        """Return the storages that an operator writes to."""
        written = set()
        for index, declared in enumerate(operator._schema.arguments):
            if declared.alias_info is not None and declared.alias_info.is_write:
                value = arguments[index] if index < len(arguments) else keywords.get(declared.name)
                written |= _storages(value)
        return written

    def _shown(self, value: Any) -> str:
        """Return an operand as text: a number by its value, tensors by their fingerprints."""
        if isinstance(value, torch.Tensor):
            head = f"{value.dtype}{shape_of(value)}"
            if _is_dense(value) and _storage(value) in self.unwritten:
                return f"{head} uninitialised"
            return f"{head} {self._digest([value])}"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(self._shown(item) for item in value) + "]"
        if isinstance(value, torch.Generator):
            return "generator"
        if isinstance(value, torch.UntypedStorage):
            if value.device.type == "cuda" and is_capturing():
                return "storage"
            return f"storage {number_of_storage(value):016x}"
        # Not of every object: many show their address.
        return repr(value) if isinstance(value, _PLAIN) else type(value).__name__

    def _digest(self, values: Any) -> str:
        content = blake2b(digest_size=8)
        for leaf in _flat(values):
            if _is_dense(leaf) and _storage(leaf) in self.unwritten:
                continue
            content.update(digests.digest(leaf).encode() if not _is_generator(leaf) else b"")
        return content.hexdigest()


_HOST = ("random", "numpy")
_PLAIN = (
    *(int, float, complex, str, type(None)),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
)


def _is_generator(value: Any) -> bool:
    return isinstance(value, torch.Generator)


def _is_dense(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout == torch.strided


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _storages(values: Any) -> set[int]:
    """Return the storages of the dense tensors in values, however nested."""
    return {_storage(tensor) for tensor in _flat(values) if _is_dense(tensor)}


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [inner for item in value for inner in _flat(item)]
    if isinstance(value, dict):
        return [inner for item in value.values() for inner in _flat(item)]
    return [value]
