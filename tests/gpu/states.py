"""What PyTorch does with an operator when it is told to be deterministic."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Named by what happens under `use_deterministic_algorithms`."""

    DETERMINISTIC = "has a deterministic version, which is taken under warn and under strict"
    NONE = "has none: a warning under warn, a RuntimeError under strict"
    SILENT = "has none, and PyTorch says nothing: it runs as without the flag"


@dataclass(frozen=True)
class State:
    """An operator in one release of PyTorch.

    Attributes:
        kind: what it does.
        alert: how its warning under warn begins; None where there is none.
        refusal: how its RuntimeError under strict begins; the alert if None.
    """

    kind: Kind
    alert: str | None = None
    refusal: str | None = None

    @property
    def error(self) -> str | None:
        """How the error under strict begins; None where there is none."""
        return (self.refusal or self.alert) if self.kind is Kind.NONE else None


DETERMINISTIC = State(Kind.DETERMINISTIC)
SILENT = State(Kind.SILENT)


def alerts(name: str) -> State:
    """The state of an operator for which ATen calls `alertNotDeterministic(name)`."""
    return State(Kind.NONE, f"{name} does not have a deterministic implementation")
