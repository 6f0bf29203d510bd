# SPDX-License-Identifier: Apache-2.0
"""Which differences between two records could explain that their bits differ, likeliest first.

Evidence for the order and the reasons: what changes trained bits by itself (seed, settings, code,
versions of kernels, hardware that chooses other kernels, numbers of threads) comes before what may
change them by way of the program (data, packages, variables).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.comparing.values import told_apart

MOST = 8
"""Lines of one kind (files, packages, variables); of what is beyond only the number is told."""

SHORT = 12
"""Digits of a digest that are shown, where they tell two apart."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        what: the thing that differs.
        first: its value in the first record, as a person reads it.
        second: its value in the second one.
        why: how it can change bits.
    """

    what: str
    first: str
    second: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.first} and {self.second} ({self.why})"


def explain(first: Record, second: Record) -> list[Difference]:
    """The differences of environment that could explain different bits, likeliest first.

    What one of the records does not know (a run that was killed, a trace without a record) is no
    difference.

    Args:
        first: a record, as `records.load` returns it.
        second: the other one.
    """
    return [found for look in LOOKS for found in look(first, second)]


def _unlike(what: str, first: Any, second: Any, why: str) -> Iterator[Difference]:
    """A difference of two values, both of which are known."""
    if first is not None and second is not None and not _equal(first, second):
        yield _told(what, first, second, why)


def _equal(first: Any, second: Any) -> bool:
    """As JSON has them: 1, 1.0 and true are three values."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _told(what: str, first: Any, second: Any, why: str, short: int | None = None) -> Difference:
    """A difference of two values that does not show the same for both.

    Args:
        what: as in `Difference`.
        first: a value, as JSON has it.
        second: another one.
        why: as in `Difference`.
        short: characters of each that are shown, where these differ.
    """
    values = [first, second]
    shown = [_shown(value) for value in values]
    if short is not None and shown[0][:short] != shown[1][:short]:
        shown = [text[:short] for text in shown]
    one, other = told_apart(shown, values)
    return Difference(what, one, other, why)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(each)}" for name, each in value.items()) or "none"
    return _NOT_SET if value is None else str(value)


_NOT_SET = "not set"


def _by_name(
    what: str,
    tables: Sequence[Mapping[str, Any]],
    why: str,
    order: Sequence[str] | None = None,
    short: int | None = None,
) -> Iterator[Difference]:
    """Differences of two tables; a name that one does not have is "not set" there.

    Args:
        what: before each name.
        tables: of the first and of the second record.
        why: as in `Difference`.
        order: all names, the most telling first; by name if not given.
        short: characters of a value that are shown.
    """
    first, second = tables
    names = order if order is not None else sorted({*first, *second})
    differ = [
        name
        for name in names
        if (name in first) != (name in second) or not _equal(first.get(name), second.get(name))
    ]
    for name in differ[:MOST]:
        label = f"{what} {name}".strip()
        if name in first and name in second:
            yield _told(label, first[name], second[name], why, short)
        else:
            # Null is a value too: of a variable that the program took away.
            shown = [_shown(table[name]) if name in table else _NOT_SET for table in tables]
            if shown[0] == shown[1]:
                shown = [json.dumps(table[name]) if name in table else _NOT_SET for table in tables]
            yield Difference(label, shown[0], shown[1], why)
    if len(differ) > MOST:
        more = f"{len(differ) - MOST} more of {what}"
        yield Difference(more, "in the first record", "in the second", why)


def _at(record: Record, *path: str) -> Any:
    """What is at a path of names; None where anything on it is missing."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


_NOT_OF_THE_BITS = frozenset({"SEED_INIT_LOG", "SEED_INIT_TRACE", "SEED_INIT_RECORD"})


def _settings(record: Record) -> dict[str, str]:
    return {
        row["name"]: row["value"]
        for row in record["settings"]
        if row["name"] not in _NOT_OF_THE_BITS
    }


def _look_at_seeds(first: Record, second: Record) -> Iterator[Difference]:
    one, two = _settings(first), _settings(second)
    if not (one and two):
        return
    seeds = [{"SEED": each["SEED"]} if "SEED" in each else {} for each in (one, two)]
    yield from _by_name("", seeds, "every stream comes from it")
    rest = [{name: value for name, value in each.items() if name != "SEED"} for each in (one, two)]
    yield from _by_name("", rest, "a setting that decides streams or algorithms")
    yield from _unlike(
        "PYTHONHASHSEED",
        # None is a value here: not in effect.
        [_at(first, "python", "hash_seed")] if first["python"] else None,
        [_at(second, "python", "hash_seed")] if second["python"] else None,
        "the order of sets of strings follows it",
    )
    yield from _by_name(
        "seeded by the program:",
        (_reseeded(first), _reseeded(second)),
        "the program's own seed takes the place of SEED",
    )


def _reseeded(record: Record) -> dict[str, str]:
    return {
        f"{note['function']} at {note['place']}": note["used"]
        for process in record["seeds"]["processes"]
        for note in process["reseeded"]
    }


def _look_at_flags(first: Record, second: Record) -> Iterator[Difference]:
    why = "torch chooses other algorithms or another precision"
    one, two = first["flags"], second["flags"]
    if one and two:
        yield from _by_name("flag", (one["start"], two["start"]), why)
        yield from _unlike("flags changed later", _changes(one), _changes(two), why)


def _changes(flags: dict[str, Any]) -> list[str]:
    changes = [change["values"] for change in flags["changes"]]
    return sorted({f"{name}={value}" for values in changes for name, value in values.items()})


def _look_at_code(first: Record, second: Record) -> Iterator[Difference]:
    yield from _unlike(
        "command",
        " ".join(first["command"]["argv"]) or None,
        " ".join(second["command"]["argv"]) or None,
        "another program, or other arguments",
    )
    yield from _unlike(
        "commit", _at(first, "code", "commit"), _at(second, "code", "commit"), "other code"
    )
    one, other = (_dirt(each["code"]) for each in (first, second))
    if None not in (one, other) and one != other:
        why = "code that no commit has"
        yield _told("uncommitted changes", one, other, why, len("diff ") + SHORT)
    modules = [
        {each["path"]: each["sha256"] for each in record["code"]["modules"] if each["sha256"]}
        for record in (first, second)
    ]
    both = sorted(modules[0].keys() & modules[1].keys())
    if both:
        tables = [{name: each[name] for name in both} for each in modules]
        yield from _by_name("module", tables, "other code", short=SHORT)


def _dirt(code: dict[str, Any]) -> str | None:
    if code["dirty"] is None:
        return None
    if not code["dirty"]:
        return "none"
    # None where git did not say what was changed.
    return f"diff {code['diff_sha256']}" if code["diff_sha256"] else "of unknown content"


VERSIONS = {
    "version": ("torch", "other kernels and other reductions"),
    "git_commit": ("torch commit", "another build of torch"),
    "cuda": ("CUDA", "other kernels"),
    "cudnn": ("cuDNN", "it chooses other algorithms for convolutions"),
    "nccl": ("NCCL", "sums over ranks are taken in another order"),
    "mkl": ("MKL", "other kernels for matrix products on CPUs"),
    "onednn": ("oneDNN", "other kernels for convolutions on CPUs"),
    "openmp": ("OpenMP", "work is divided among threads in another way"),
}


def _look_at_versions(first: Record, second: Record) -> Iterator[Difference]:
    for name, (label, why) in VERSIONS.items():
        yield from _unlike(label, _at(first, "torch", name), _at(second, "torch", name), why)


def _look_at_hardware(first: Record, second: Record) -> Iterator[Difference]:
    if first["torch"] and second["torch"]:
        yield from _unlike(
            "GPU", _used(first), _used(second), "kernels are chosen by model, and sums split by it"
        )
    yield from _unlike(
        "CPU instruction set in use",
        _at(first, "cpu", "capability"),
        _at(second, "cpu", "capability"),
        "torch has other kernels for it; even initial weights differ",
    )
    yield from _unlike(
        "CPU",
        _at(first, "cpu", "model"),
        _at(second, "cpu", "model"),
        "libraries choose kernels by model",
    )
    yield from _unlike(
        "CPU instruction sets",
        _only(first, second),
        _only(second, first),
        "oneDNN and MKL choose kernels by them",
    )
    yield from _unlike(
        "GPU driver",
        _at(first, "gpu", "driver"),
        _at(second, "gpu", "driver"),
        "it compiles what a library has no binary for",
    )


def _used(record: Record) -> list[str]:
    return sorted({f"{gpu['name']} ({gpu['capability']})" for gpu in record["gpu"]["used"]})


def _only(record: Record, other: Record) -> str | None:
    sets = [_at(each, "cpu", "instruction_sets") for each in (record, other)]
    if None in sets:
        return None
    others = set(sets[1])
    extra = ", ".join(name for name in sets[0] if name not in others)
    return f"with {extra}" if extra else "without"


def _look_at_threads(first: Record, second: Record) -> Iterator[Difference]:
    why = "sums are split among threads"
    for name, label in (("intraop", "threads"), ("interop", "threads between operators")):
        yield from _unlike(
            label,
            _at(first, "torch", "threads", name),
            _at(second, "torch", "threads", name),
            why,
        )
    yield from _unlike(
        "processors of the job", _at(first, "cpu", "affinity"), _at(second, "cpu", "affinity"), why
    )
    yield from _unlike(
        "ranks", _world(first), _world(second), "sums over ranks are split otherwise"
    )


def _world(record: Record) -> str:
    return _at(record, "distributed", "world") or "1"


def _look_at_files(first: Record, second: Record) -> Iterator[Difference]:
    one, two = _digests(first), _digests(second)
    tables: list[dict[str, str]] = [{}, {}]
    for name in one.keys() & two.keys():
        known = one[name], two[name]
        for table, digest in zip(tables, known):
            if None not in known:
                table[name] = str(digest)
    yield from _by_name("data file", tables, "other data", short=SHORT)
    if one and two:
        for own, others, label in ((one, two, "first"), (two, one, "second")):
            only = sorted(own.keys() - others.keys())
            if only:
                more = f" and {len(only) - 3} more" if len(only) > 3 else ""
                yield Difference(
                    f"data files read in the {label} only",
                    ", ".join(only[:3]) + more,
                    "not read in the other",
                    "other data",
                )


def _digests(record: Record) -> dict[str, str | None]:
    """Data file to its fingerprint; those below the working directory by their relative path."""
    below = f"{record['command']['cwd']}/"
    return {file["path"].removeprefix(below): file["sha256"] for file in record["files"]["read"]}


def _look_at_packages(first: Record, second: Record) -> Iterator[Difference]:
    one, two = first["packages"], second["packages"]
    if one and two:
        ahead = ("numpy", "triton", "torchvision", "torchaudio", "scipy", "pandas")
        rest = sorted({*one, *two} - {*ahead, "torch"}, key=str.lower)
        yield from _by_name("package", (one, two), "other code", [*ahead, *rest])


def _look_at_variables(first: Record, second: Record) -> Iterator[Difference]:
    one, two = (_at(each, "environment", "start") or {} for each in (first, second))
    known = {*_settings(first), *_settings(second), *_NOT_OF_THE_BITS, "PYTHONHASHSEED"}
    # Not in the table of settings where no process of ours has told them.
    known -= set() if first["settings"] and second["settings"] else {"SEED"}
    tables = [{n: v for n, v in each.items() if n not in known} for each in (one, two)]
    why = "it chooses algorithms, devices or threads"
    yield from _by_name("variable", tables, why)
    later = [_at(each, "environment", "changed") or {} for each in (first, second)]
    yield from _by_name("variable changed by the program:", later, why)


def _look_at_the_rest(first: Record, second: Record) -> Iterator[Difference]:
    for what, path, why in (
        ("base image", ("image", "base_digest"), "everything in it"),
        ("Python", ("python", "version"), "another standard library"),
        ("C library", ("system", "libc"), "exp, log and sin may round otherwise"),
        ("operating system", ("system", "os"), "other system libraries"),
        ("locale", ("system", "locale"), "text may be sorted and read otherwise"),
        ("time zone", ("system", "timezone"), "local time differs"),
        ("kernel", ("system", "kernel"), "seldom any"),
    ):
        yield from _unlike(what, _at(first, *path), _at(second, *path), why)


LOOKS: tuple[Callable[[Record, Record], Iterator[Difference]], ...] = (
    _look_at_seeds,
    _look_at_flags,
    _look_at_code,
    _look_at_versions,
    _look_at_hardware,
    _look_at_threads,
    _look_at_files,
    _look_at_packages,
    _look_at_variables,
    _look_at_the_rest,
)
"""The kinds of differences, likeliest first."""
