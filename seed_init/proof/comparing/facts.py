# SPDX-License-Identifier: Apache-2.0
"""A run's environment is read as facts, each with a section and a name, for compare and report.

What is different in each run by nature (process numbers, times, scratch directories) is no fact.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from seed_init.proof.comparing.values import counted, shown

Content = Mapping[str, Any]
"""The sections of a record, as `records.read` has checked them."""


class Fact(NamedTuple):
    """The value of a fact.

    Attributes:
        shown: as a reader wants it.
        exact: what it stands for, as JSON has it.
    """

    shown: str
    exact: Any


Facts = dict[str, Fact]
"""Name of a fact in its section -> its value. What the record does not know is not there."""


def facts_of(content: Content, processes: Sequence[str]) -> dict[str, Facts]:
    """Section -> the facts of a record, sections in an order in which a person looks.

    Args:
        content: of the record.
        processes: what a reader calls each of its processes.
    """
    return {section: read(content, processes) for section, read in _SECTIONS.items()}


def _section(name: str) -> Callable[[Content, Sequence[str]], Facts]:
    """Of a section of the record, everything."""
    return lambda content, processes: _rows(content[name])


def settings(content: Content) -> dict[str, str]:
    """Setting -> value, of those that can decide bits."""
    rows = content["settings"]
    return {row["name"]: row["value"] for row in rows if row["name"] not in NOT_OF_THE_BITS}


_OF_THE_RECORD = frozenset({"SEED_INIT_TRACE", "SEED_INIT_RECORD"})
"""Settings that say where a record is written."""

NOT_OF_THE_BITS = _OF_THE_RECORD | {"SEED_INIT_LOG"}
"""Settings that decide no bit of what a program computes."""


def _settings(content: Content, processes: Sequence[str]) -> Facts:
    return {
        row["name"]: Fact(f"{row['value']} ({row['origin']})", row)
        for row in content["settings"]
        if row["name"] not in _OF_THE_RECORD
    }


def _seeds(content: Content, processes: Sequence[str]) -> Facts:
    """Return what seeded each process, and what each process left unseeded."""
    seeded = content["seeds"]["processes"]
    rows: Facts = {}
    for entry in seeded:
        kept = {name: entry[name] for name in entry if name not in ("process", "path", "restart")}
        # By rank and not by number: which process was first is chance.
        rows |= _rows(kept, processes[entry["process"]] if len(seeded) > 1 else "")
    return rows


def _flags(content: Content, processes: Sequence[str]) -> Facts:
    return _rows((content["flags"] or {}).get("start"))


def _changes(content: Content, processes: Sequence[str]) -> Facts:
    changes = (content["flags"] or {}).get("changes", ())
    return dict(_change(change, several=len(processes) > 1) for change in changes)


def _change(change: Mapping[str, Any], several: bool) -> tuple[str, Fact]:
    values = ", ".join(f"{name}={shown(value)}" for name, value in change["values"].items())
    process = f"process {change['process']}, " if several else ""
    source = change["place"] or "place not known"
    when = f"{process}after {counted(change['steps_before'], 'step')}"
    return when, Fact(f"{values} at {source}", [change["values"], change["place"]])


def _distributed(content: Content, processes: Sequence[str]) -> Facts:
    distributed = content["distributed"]
    if not distributed:
        return {}
    ranks = {
        f"rank {rank['rank']}": {
            name: rank[name] for name in rank if name not in ("rank", "process")
        }
        for rank in distributed["ranks"]
    }
    return _rows({"world": distributed["world"], **ranks})


def _python(content: Content, processes: Sequence[str]) -> Facts:
    # Not the path: it has scratch directories in it, and the packages say what it leads to.
    python = content["python"] or {}
    return _rows({name: value for name, value in python.items() if name != "path"})


def _code(content: Content, processes: Sequence[str]) -> Facts:
    code = content["code"]
    facts = _rows({name: code[name] for name in code if name not in ("modules", "note", "patch")})
    for path, digest in modules(content).items():
        facts[f"module {path}"] = Fact(_digest(digest), digest)
    return facts


def modules(content: Content) -> dict[str, str | None]:
    """File of a module of the user's -> SHA-256; None where it could not be read."""
    return {module["path"]: module["sha256"] for module in content["code"]["modules"]}


def _variables(content: Content, processes: Sequence[str]) -> Facts:
    later = {f"{name}, later": value for name, value in variables_later(content).items()}
    return _rows({**content["environment"]["start"], **later})


def variables_later(content: Content) -> dict[str, str | None]:
    """Variable -> what the program has set it to; None where it has taken it away."""
    changed = content["environment"]["changed"]
    return {name: value for name, value in changed.items() if name not in _OF_A_RANK}


_OF_A_RANK = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK")
"""The record has those of one process: which one was first is chance."""


def _files(content: Content, processes: Sequence[str]) -> Facts:
    return {
        file["path"]: Fact(_file(file), [file[name] for name in ("size", "sha256", "method")])
        for file in content["files"]["read"]
    }


def _file(file: Mapping[str, Any]) -> str:
    size = "" if file["size"] is None else f"{counted(file['size'], 'byte')}, "
    if file["sha256"] is None:
        return f"{size}{file['method']}"
    return f"{size}{_digest(file['sha256'])} ({file['method']})"


def _digest(digest: str | None) -> str:
    return "no digest" if digest is None else f"sha256 {digest[:16]}"


def _arithmetic(content: Content, processes: Sequence[str]) -> Facts:
    # Records of former versions do not have it.
    arithmetic = content.get("arithmetic") or {}
    results = {
        f"{row['library']} {row['probe']}": row["result"] for row in arithmetic.get("rows", ())
    }
    return _rows({**arithmetic.get("chosen", {}), **results})


def _rows(value: Any, name: str = "") -> Facts:
    """Nested values as facts with dotted names; none for what is empty or not known."""
    if value is None or value in ({}, []):
        return {}
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = {str(index): item for index, item in enumerate(value)}.items()
    else:
        return {name: Fact(shown(value), value)} if name else {}
    rows: Facts = {}
    for key, item in items:
        rows |= _rows(item, f"{name}.{key}" if name else str(key))
    return rows


_SECTIONS: dict[str, Callable[[Content, Sequence[str]], Facts]] = {
    "settings": _settings,
    "seeds": _seeds,
    "flags": _flags,
    "flags changed later": _changes,
    **{name: _section(name) for name in ("torch", "cpu", "gpu")},
    "distributed": _distributed,
    "image": _section("image"),
    "python": _python,
    "system": _section("system"),
    "code": _code,
    "environment": _variables,
    "files read": _files,
    "packages": _section("packages"),
    "arithmetic": _arithmetic,
}
