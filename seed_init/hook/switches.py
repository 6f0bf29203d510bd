# SPDX-License-Identifier: Apache-2.0
"""Variables by which libraries beside torch choose deterministic algorithms: the contract's table.

Under `warn` and `strict` each is exported when torch is imported, unless the environment has it:
all who read them import torch first or start later (NCCL reads its own when a communicator is
made, inductor when it is imported). Processes that never import torch pay nothing.
"""

import os
import sys

from seed_init.hook import settings as contract
from seed_init.hook import startup
from seed_init.hook.determinism import ALGORITHMS, wanted
from seed_init.hook.settings import CUBLAS, EXPORTED, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NCCL_ALGO = "NCCL_ALGO"
"""The user's choice among NCCL's algorithms: where there is one, that of NVLS is made with it."""


FIRST, LAST = (0, 0), (999, 0)
"""Releases of torch before and after all others."""


class Switch:
    """One variable.

    Attributes:
        name: of the variable.
        value: what it is set to.
        accepts: whether another value does the same.
        since: torch's first release, major and minor, for which it is set.
        until: torch's last one.
        with_algorithms: it goes with torch's deterministic algorithms and not with the level:
            torch.use_deterministic_algorithms sets it too.
        reader: who reads it.
        source: where that is written.
    """

    __slots__ = (
        "accepts",
        "name",
        "reader",
        "since",
        "source",
        "until",
        "value",
        "with_algorithms",
    )

    def __init__(
        self,
        name: str,
        value: str,
        accepts: "Callable[[str], bool]",
        reader: str,
        source: str,
        *,
        since: tuple[int, int] = FIRST,
        until: tuple[int, int] = LAST,
        with_algorithms: bool = False,
    ) -> None:
        self.name, self.value, self.accepts = name, value, accepts
        self.reader, self.source = reader, source
        self.since, self.until, self.with_algorithms = since, until, with_algorithms

    def holds(self, settings: Settings, release: "tuple[int, int] | None") -> bool:
        """Whether it belongs to what was asked for.

        Args:
            settings: what this process was asked to do.
            release: torch's; None where that is not known: then of every release.
        """
        if release is not None and not self.since <= release <= self.until:
            return False
        if self.with_algorithms:
            return wanted(settings).get(ALGORITHMS, ("0", ""))[0] != "0"
        return settings.determinism in DETERMINISTIC


def _is_zero(value: str) -> bool:
    return value.isdecimal() and int(value[:20]) == 0


def _is_one(value: str) -> bool:
    return value == "1"


def _begins_with_one(value: str) -> bool:
    return value.startswith("1")


def _is_not_one(value: str) -> bool:
    return value != "1"


TABLE = (
    Switch(
        "NCCL_NVLS_ENABLE",
        "0",
        _is_zero,
        "NCCL, from 2.17 on: sums made in NVLink's switches differ from call to call",
        "https://github.com/NVIDIA/nccl/issues/1497",
    ),
    Switch(
        "NVTE_ALLOW_NONDETERMINISTIC_ALGO",
        "0",
        _is_zero,
        "Transformer Engine: attention with a deterministic backward only",
        "https://github.com/NVIDIA/TransformerEngine/pull/366",
    ),
    Switch(
        "FLASH_ATTENTION_DETERMINISTIC",
        "1",
        _is_one,
        "transformers, from 4.44 on, for flash-attn from 2.4.1 on: its deterministic backward",
        "https://github.com/huggingface/transformers/pull/31961",
    ),
    Switch(
        "MAMBA_DETERMINISTIC",
        "1",
        _begins_with_one,
        "mamba-ssm, from 2.3 on: a backward without atomic additions, no search among kernels",
        "https://github.com/state-spaces/mamba/pull/827",
    ),
    Switch(
        "CAUSAL_CONV1D_DETERMINISTIC",
        "1",
        _begins_with_one,
        "causal-conv1d, from 1.6 on: a backward without atomic additions",
        "https://github.com/Dao-AILab/causal-conv1d/pull/88",
    ),
    Switch(
        "TORCHINDUCTOR_SHAPE_PADDING",
        "0",
        _is_not_one,
        "torch.compile: pads the operands of a product where a benchmark finds that faster",
        "torch/_inductor/fx_passes/pad_mm.py, should_pad_bench",
        until=(2, 9),
    ),
    Switch(
        "TORCHINDUCTOR_DYNAMIC_SCALE_RBLOCK",
        "0",
        _is_not_one,
        "torch.compile: more block sizes of a reduction, among which a benchmark chooses",
        "torch/_inductor/runtime/triton_heuristics.py, dynamic_scale_rblock",
        until=(2, 9),
    ),
    Switch(
        "TORCHINDUCTOR_DETERMINISTIC",
        "1",
        _is_one,
        "torch.compile: no benchmark where its outcome could change bits",
        "torch/_inductor/config.py, deterministic",
        since=(2, 10),
        with_algorithms=True,
    ),
)
"""Every variable. docs/cost/switches.md shows the table."""

DETERMINISTIC = ("warn", "strict", "portable")
"""The levels under which the variables are set."""

NAMES = tuple(switch.name for switch in TABLE)


def export(settings: Settings, release: str) -> list[str]:
    """Set the variables; take back those that a parent has set, where they do not hold here.

    Args:
        settings: what this process was asked to do.
        release: torch's, as `torch.__version__`.

    Returns:
        One line for each that was set: its name, value and origin.

    Raises:
        refusals.Refusal: the level is strict, and a value in the environment contradicts it.
    """
    environ, here = os.environ, number(release)
    ours = exported(environ)
    lines = []
    for switch in TABLE:
        holds = switch.holds(settings, here) and not _is_chosen_otherwise(switch, environ)
        if holds and not environ.get(switch.name):
            environ[switch.name] = switch.value
            ours[switch.name] = None
            lines.append(f"{switch.name}={switch.value} ({origin(settings)})")
        elif not holds and switch.name in ours:
            del ours[switch.name]
            if environ.get(switch.name) == switch.value:
                del environ[switch.name]
    if CUBLAS in ours and not startup.needs_workspace(settings.values, settings.determinism):
        del ours[CUBLAS]
        if contract.workspace_is_exported():
            del environ[CUBLAS]
    if ours or EXPORTED in environ:
        environ[EXPORTED] = ",".join(ours)
    if settings.determinism in ("strict", "portable"):
        check(settings, contradictions(settings, environ, here))
    return lines


def check(settings: Settings, contradictions: "list[tuple[str, str, str]]") -> None:
    """Raise Refusal for the first of some variables that contradict level strict or portable.

    Args:
        settings: what this process was asked to do.
        contradictions: variable, its value, what to set instead.
    """
    from seed_init.hook import refusals

    for name, value, instead in contradictions:
        raise refusals.Refusal(
            f"under DETERMINISM={settings.determinism} {name}={refusals.shown(value)} is not "
            f"accepted; use {instead} or leave it unset"
        )


def number(release: str) -> tuple[int, int]:
    """Major and minor of a release: (2, 10) of "2.10.0a0+git1234"; (0, 0) where it has none."""
    parts = release.split(".")[:2]
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError):
        return FIRST


def release_here() -> "tuple[int, int] | None":
    """That of the torch that is imported, or else installed; None for none."""
    torch = sys.modules.get("torch")
    release = getattr(torch, "__version__", None) if torch is not None else _installed()
    return None if torch is None and release is None else number(str(release))


def _installed() -> "str | None":
    """Return the release of the torch that an import would find; None if there is no torch.

    Not by importlib.metadata, which imports `random`: then a process that is observed would have
    drawn from a generator that its program never imported.
    """
    from _frozen_importlib_external import PathFinder

    try:
        spec = PathFinder.find_spec("torch")
        file = str(spec and spec.origin).replace("__init__.py", "version.py")
        with open(file, encoding="utf-8") as lines:  # noqa: PTH123
            texts = [line.split("=", 1)[1] for line in lines if line.startswith("__version__ =")]
        return texts[0].strip().strip("'\"")
    except Exception:
        return None


def origin(settings: Settings) -> str:
    """Why a variable of the table is set."""
    return f"DETERMINISM={settings.determinism}"


def exported(environ: "Mapping[str, str]") -> dict[str, None]:
    """The variables that the hook has set, here or in a parent, in order; not the user's."""
    return dict.fromkeys(filter(None, environ.get(EXPORTED, "").split(",")))


def _is_chosen_otherwise(switch: Switch, environ: "Mapping[str, str]") -> bool:
    return switch.name == "NCCL_NVLS_ENABLE" and bool(environ.get(NCCL_ALGO))


def contradictions(
    settings: Settings, environ: "Mapping[str, str]", release: "tuple[int, int] | None" = None
) -> list[tuple[str, str, str]]:
    """What the environment has against the level: variable, its value, what to set instead.

    Args:
        settings: what this process was asked to do.
        environ: the variables.
        release: torch's; None where it is not known: what depends on it is left out.
    """
    lines = []
    if settings.determinism in DETERMINISTIC and not nccl_is_fixed(environ.get(NCCL_ALGO)):
        lines.append((NCCL_ALGO, environ[NCCL_ALGO], "Ring"))
    for switch in TABLE:
        if release is None and (switch.since, switch.until) != (FIRST, LAST):
            continue
        value = environ.get(switch.name)
        if not value or switch.accepts(value) or _is_chosen_otherwise(switch, environ):
            continue
        if switch.holds(settings, release):
            lines.append((switch.name, value, switch.value))
    return lines


def nccl_is_fixed(value: "str | None") -> bool:
    """Whether a value of NCCL_ALGO leaves only algorithms that sum in the same order every time.

    Ring and the two of CollNet do, and "^NVLS" leaves the choice to NCCL. Tree does not: its order
    is NCCL's affair and may be another one in the next run (megatron/training/determinism.py).

    Args:
        value: such as "Ring", "^NVLS,Tree" or "allreduce:ring;broadcast:tree" (NCCL's
            documentation of its variables); None or empty for none.
    """
    for part in (value or "").lower().split(";"):
        names = {name.strip() for name in part.rpartition(":")[2].split(",")} - {""}
        function = part.rpartition(":")[0].strip()
        if function in ("broadcast", "allgather"):
            continue  # which add nothing
        if any(name.startswith("^") for name in names):
            if "nvls" not in {name.lstrip("^") for name in names}:
                return False
        elif not names <= {"ring", "collnetdirect", "collnetchain", "collnet"}:
            return False
    return True


def in_effect(settings: Settings) -> dict[str, dict[str, "str | None"]]:
    """Every variable of the table that holds: name to the value, its origin and the value now."""
    environ, release = os.environ, release_here()
    ours = exported(environ)
    rows: dict[str, dict[str, str | None]] = {}
    chosen = environ.get(NCCL_ALGO)
    if chosen and settings.determinism in DETERMINISTIC:
        rows[NCCL_ALGO] = {"value": chosen, "origin": "environment", "now": chosen}
    for switch in TABLE:
        now = environ.get(switch.name) or None
        if not switch.holds(settings, release):
            continue
        if now is not None and switch.name not in ours:
            rows[switch.name] = {"value": now, "origin": "environment", "now": now}
        elif not _is_chosen_otherwise(switch, environ):
            rows[switch.name] = {"value": switch.value, "origin": origin(settings), "now": now}
    return rows
