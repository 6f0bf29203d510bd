"""Plant a flip of one bit in one gradient, at a step and a place that are chosen, and find it."""

import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import interpreters
from seed_init.proof.comparing import steps
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.trace import journal

from .catalogue import PROGRAMS
from .running import ENVIRONMENT, Failed

PROGRAM = PROGRAMS / "bit_flip.py"
STEPS = 6
SIZES = {
    "first.weight": 256,
    "first.bias": 32,
    "middle.weight": 1024,
    "middle.bias": 32,
    "last.weight": 128,
    "last.bias": 4,
}
"""Parameters of the program's network, and how many numbers each has."""

BITS = 32


@dataclass(frozen=True)
class Flip:
    """Which bit flips: of which number of which gradient, at which step."""

    step: int
    tensor: str
    element: int
    bit: int


def flips(count: int, seed: int = 7) -> list[Flip]:
    """Different flips; every bit comes up, the lowest one of a fraction and the sign among them."""
    drawn = random.Random(seed)
    made = []
    for number in range(count):
        tensor = drawn.choice(list(SIZES))
        bit = number % BITS
        made.append(Flip(drawn.randrange(STEPS), tensor, drawn.randrange(SIZES[tensor]), bit))
    return made


def train(python: Path, *arguments: object) -> list[journal.Process]:
    """Run the program, observed; returns its trace.

    Raises:
        Failed: it did not end with status 0.
    """
    with tempfile.TemporaryDirectory() as name:
        trace = Path(name, "trace")
        done = subprocess.run(
            [str(python), str(PROGRAM), *map(str, arguments)],
            cwd=name,
            env=interpreters.environment(python, **ENVIRONMENT, SEED_INIT_TRACE=str(trace)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Failed(f"{PROGRAM.name} {arguments}: {done.stderr[-2000:]}")
        return journal.read(trace)


def clean(python: Path) -> list[journal.Process]:
    """The trace of a run without a fault."""
    return train(python, "none")


def found(
    python: Path, base: list[journal.Process], planted: list[Flip]
) -> Iterator[tuple[Flip, Difference | None]]:
    """Plant each flip in a run of its own; what its trace shows against a clean one."""
    for flip in planted:
        flipped = train(python, flip.step, flip.tensor, flip.element, flip.bit)
        yield flip, steps.first_difference(base, flipped)


def is_exact(flip: Flip, difference: Difference | None) -> bool:
    """True where the difference is the flip: the gradient of that tensor, at that step."""
    return difference is not None and (difference.level, difference.step, difference.tensor) == (
        "gradient",
        flip.step,
        flip.tensor,
    )
