# SPDX-License-Identifier: Apache-2.0
"""This module lists what is measured: each level of DETERMINISM, and each switch by itself.

A flag of `startup.FLAGS` has its rows without a line here; `_CHOSEN` is for those that do
something only on top of another level, and for what is no flag.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from seed_init.hook import switches
from seed_init.hook.determinism import FLAGS, LEVELS
from seed_init.hook.settings import CUBLAS, EXPORTED

REFERENCE = "off"
"""What every other one is compared with."""

VARIABLES = ("DETERMINISM", *FLAGS, CUBLAS)
"""What a choice may set. Those that it does not are taken out of the environment."""

DEFAULTS = {name: flag.default for name, flag in FLAGS.items()}
"""PyTorch's own values of the flags, which hold where nobody sets them."""


@dataclass(frozen=True)
class Choice:
    """One way to set the determinism variables.

    Attributes:
        name: as the user selects it, and a table shows it.
        variables: what is set.
        needs_cuda: it changes nothing for a program that uses no CUDA device.
        over: the level that a switch is set on top of; None for a level.
    """

    name: str
    variables: dict[str, str] = field(hash=False)
    needs_cuda: bool = False
    over: str | None = None

    @property
    def flags(self) -> dict[str, str]:
        """Return the flags that hold with this choice, where the program changes none."""
        level = LEVELS[self.variables["DETERMINISM"]]
        return {**DEFAULTS, **level, **{n: v for n, v in self.variables.items() if n in FLAGS}}

    def environment(self, user_environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a run: the user's, with this choice in place of the user's own.

        Args:
            user_environment: the user's environment.
        """
        # Those that a hook above has exported are no choice of the user's.
        taken = {*VARIABLES, EXPORTED, *switches.exported(user_environment)}
        kept = {name: value for name, value in user_environment.items() if name not in taken}
        return {**kept, **self.variables}


def _level(name: str) -> Choice:
    return Choice(name, {"DETERMINISM": name})


def _switch(over: str, variable: str, value: str, needs_cuda: bool = True) -> Choice:
    name = f"{variable}={value}"
    shown = name if over == REFERENCE else f"{over} with {name}"
    return Choice(shown, {"DETERMINISM": over, variable: value}, needs_cuda, over)


_CHOSEN = (
    _switch("off", "CUDNN_DETERMINISTIC", "1"),
    # DETERMINISM=fast is this and nothing else; it has a row of its own.
    _switch("off", "TORCH_DETERMINISTIC_ALGORITHMS", "warn", needs_cuda=False),
    _switch("off", "CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
    _switch("off", "CUBLAS_WORKSPACE_CONFIG", ":16:8"),
    _switch("off", "CUDNN_ALLOW_TF32", "0"),
    _switch("off", "TORCH_ALLOW_TF32", "1"),
    # Both do something only on top of the level: PyTorch fills in deterministic mode alone, and
    # a search among algorithms costs and gives something else where few may be taken.
    _switch("warn", "TORCH_FILL_UNINITIALIZED_MEMORY", "1", needs_cuda=False),
    _switch("warn", "CUDNN_BENCHMARK", "1"),
)
"""The rows of the switches that are known, and on top of which level each does something."""


def _switches_of_other_flags() -> tuple[Choice, ...]:
    """Return a choice for each value that is not the default, of each flag without a choice yet."""
    chosen = {variable for choice in _CHOSEN for variable in choice.variables}
    return tuple(
        _switch("off", flag.name, value, needs_cuda=flag.attribute.startswith("backends.cu"))
        for flag in FLAGS.values()
        for value in flag.words
        if flag.name not in chosen and value != flag.default
    )


SWITCHES = (*_CHOSEN, *_switches_of_other_flags())

CHOICES: dict[str, Choice] = {choice.name: choice for choice in (*map(_level, LEVELS), *SWITCHES)}
"""Name -> choice, in the order of the table."""
