# SPDX-License-Identifier: Apache-2.0
"""What was first observed to differ between two runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seed_init.proof.redaction.secret_texts import without_secrets


@dataclass(frozen=True)
class Source:
    """A line of code.

    Attributes:
        file: its path, relative where it is below the working directory.
        line: from 1.
        function: the name of the function that it is in.
        text: the line, stripped, without secrets; empty where the file cannot be read.
    """

    file: str
    line: int
    function: str = ""
    text: str = ""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Source":
        """The line that a record names, of this version or of an older one."""
        function, text = content.get("function"), content.get("text")
        return cls(content["file"], content["line"], function or "", text or "")

    def __str__(self) -> str:
        text = f": {self.text}" if self.text else ""
        return f"{self.file}:{self.line}{text}"


@dataclass
class Difference:
    """What was first observed to differ, and what is known about it.

    Attributes:
        level: the finest that was reached: "status", "trace", "batch", "seed", "draw", "loss",
            "gradient", "parameter", "module", "operator", "line", "generator", "worker", "output"
            or "file".
        text: what differs, in a few words, for `first_observed`.
        step: the call of its optimizer, from 0; None for what is in no step.
        optimizer: in order of creation, from 0.
        rank: None where there are no ranks.
        tensor: qualified name of the parameter, gradient or buffer.
        module: qualified name of the module that ran.
        operator: as PyTorch names it: "aten::index_put_".
        node: in a backward pass, the node of the graph that called the operator.
        generator: "torch", "numpy", "random", "cuda:0".
        batch: the number of the DataLoader's batch, from 0.
        source: the user's line.
        values: what the two runs have, where that says something to a person.
        runs: the names of the two runs.
        trail: what was seen on the way, from coarse to fine, one line each.
        remedies: known causes and what to do about each: {"cause": ..., "remedy": ...}.
        process: the place of its process among those of a trace, for a closer look.
        who: the process or the unit of work, as a reader knows it; None where there is only one.
        is_in_a_unit: whether it is a unit of work.
        rung: the first backend of torch.compile, from the simplest on, with which runs differ:
            "eager", "aot_eager" or "inductor"; None where nobody looked, or it was not found.
    """

    level: str
    text: str
    step: int | None = None
    optimizer: int | None = None
    rank: int | None = None
    tensor: str | None = None
    module: str | None = None
    operator: str | None = None
    node: str | None = None
    generator: str | None = None
    batch: int | None = None
    source: Source | None = None
    values: list[Any] | None = None
    runs: list[str] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    remedies: list[dict[str, str]] = field(default_factory=list)
    process: int = 0
    who: str | None = None
    is_in_a_unit: bool = False
    rung: str | None = None

    @property
    def first_observed(self) -> str:
        """One line: where, and what."""
        where = []
        if self.step is not None:
            # Optimizers are told apart only where there are several.
            which = f" of optimizer {self.optimizer}" if self.optimizer else ""
            where.append(f"step {self.step}{which}")
        if self.rank is not None:
            where.append(f"rank {self.rank}")
        heading = f"first observed at {', '.join(where)}: " if where else "first observed: "
        return heading + self.text

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Difference":
        """The difference that `to_json` has written.

        Args:
            content: as a record has it that was checked by its schema. What it does not have, as
                that of an older version, is as if nothing was known of it.
        """
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        source = content.get("source")
        known["source"] = None if source is None else Source.from_json(source)
        text = content.get("first_observed", "").partition(": ")[2]
        return cls(**{"level": "", "text": text, **known})

    def to_json(self) -> dict[str, Any]:
        """As in the result of `verify`."""
        content = asdict(self)
        del content["process"], content["is_in_a_unit"]
        return {**content, "first_observed": self.first_observed}


def source_of(event: dict[str, Any]) -> Source | None:
    """The line that an event names."""
    if "file" not in event:
        return None
    file, line = Path(event["file"]), event["line"]
    text = without_secrets(_text(file, line))
    # As the user knows it.
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    return Source(str(file), line, event.get("function", ""), text)


def _text(file: Path, line: int) -> str:
    try:
        if not file.is_file():
            return ""  # such as /dev/stdin, which is read once
        return file.read_text(errors="replace").splitlines()[line - 1].strip()
    except (OSError, ValueError, IndexError):
        return ""
