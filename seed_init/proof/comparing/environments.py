# SPDX-License-Identifier: Apache-2.0
"""Facts of two environments that could explain different bits are named, likeliest first.

Evidence for the order and the reasons: what changes trained bits by itself (seed, settings, code,
versions of kernels, hardware that chooses other kernels, numbers of threads) comes before what may
change them by way of the program (data, packages, variables).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.arithmetic import agreement
from seed_init.proof.arithmetic.fingerprint import Fingerprint
from seed_init.proof.comparing import facts
from seed_init.proof.comparing.facts import Facts
from seed_init.proof.comparing.values import told_apart

MOST = 8
"""Lines of one kind (files, packages, variables); of what is beyond only the number is told."""

SHORT = 12
"""Digits of a digest that are shown, where they tell two apart."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """A difference of two environments.

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


@dataclass(frozen=True)
class Environment:
    """What is compared of a record.

    Attributes:
        content: its sections.
        facts: of each section, as the report shows them as well.
    """

    content: Record
    facts: dict[str, Facts]


Look = Callable[[Environment, Environment], Iterator[Explanation]]


def explain(first: Record, second: Record) -> list[Explanation]:
    """The differences of environment that could explain different bits, likeliest first.

    What one of the records does not know (a run that was killed, a trace without a record) is no
    difference.

    Args:
        first: a record, as `records.load` returns it.
        second: the other one.
    """
    first_environment, second_environment = (
        # Here processes need no names: what each of them was seeded with is told by line.
        Environment(content, facts.facts_of(content, [""] * len(content["processes"])))
        for content in (first, second)
    )
    return [
        explanation for look in LOOKS for explanation in look(first_environment, second_environment)
    ]


def _unlike(what: str, values: Sequence[Any], why: str) -> Iterator[Explanation]:
    """A difference of two values, both of which are known."""
    first, second = values
    if first is not None and second is not None and not _equal(first, second):
        yield _explained(what, first, second, why)


def _equal(first: Any, second: Any) -> bool:
    """Return whether two values are equal in JSON, in which 1, 1.0 and true are three values."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _explained(
    what: str, first: Any, second: Any, why: str, short: int | None = None
) -> Explanation:
    """Return an explanation of two values, whose texts are made unlike if they would be alike.

    Args:
        what: as in `Explanation`.
        first: a value, as JSON has it.
        second: another one.
        why: as in `Explanation`.
        short: characters of each that are shown, where these differ.
    """
    values = [first, second]
    shown = [_shown(value) for value in values]
    if short is not None and shown[0][:short] != shown[1][:short]:
        shown = [text[:short] for text in shown]
    first_text, second_text = told_apart(shown, values)
    return Explanation(what, first_text, second_text, why)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) or "none"
    return _NOT_SET if value is None else str(value)


_NOT_SET = "not set"


def _by_name(
    what: str,
    tables: Sequence[Mapping[str, Any]],
    why: str,
    order: Sequence[str] | None = None,
    short: int | None = None,
) -> Iterator[Explanation]:
    """Yield explanations of two tables. A name that a table does not have is "not set" there.

    Args:
        what: before each name.
        tables: of the first and of the second record.
        why: as in `Explanation`.
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
            yield _explained(label, first[name], second[name], why, short)
        else:
            # Null is a value too: of a variable that the program took away.
            shown = [_shown(table[name]) if name in table else _NOT_SET for table in tables]
            if shown[0] == shown[1]:
                shown = [json.dumps(table[name]) if name in table else _NOT_SET for table in tables]
            yield Explanation(label, shown[0], shown[1], why)
    if len(differ) > MOST:
        more = f"{len(differ) - MOST} more of {what}"
        yield Explanation(more, "in the first record", "in the second", why)


def _fact(section: str, name: str, label: str, why: str, otherwise: Any = None) -> Look:
    """Return a look at one fact.

    Args:
        section: of the fact, as in `facts.facts_of`.
        name: of the fact in its section.
        label: what `compare` calls it.
        why: as in `Explanation`.
        otherwise: its value where a record does not have it; None where it then is not known.
    """

    def look(first: Environment, second: Environment) -> Iterator[Explanation]:
        pair = [environment.facts[section].get(name) for environment in (first, second)]
        values = [otherwise if fact is None else fact.exact for fact in pair]
        yield from _unlike(label, values, why)

    return look


def _named(section: str, label: str, why: str, ahead: Sequence[str] = ()) -> Look:
    """Return a look at all facts of a section, if both records have the section.

    Args:
        section: as in `_fact`.
        label: what comes before the name of each.
        why: as in `Explanation`.
        ahead: the names of the most telling facts; the others follow by name.
    """

    def look(first: Environment, second: Environment) -> Iterator[Explanation]:
        tables = [
            {name: fact.exact for name, fact in environment.facts[section].items()}
            for environment in (first, second)
        ]
        if all(tables):
            # torch has facts of its own, with better reasons.
            rest = sorted({*tables[0], *tables[1]} - {*ahead, "torch"}, key=str.lower)
            yield from _by_name(label, tables, why, [*ahead, *rest] if ahead else None)

    return look


def _look_at_settings(first: Environment, second: Environment) -> Iterator[Explanation]:
    first_settings, second_settings = (
        facts.settings(environment.content) for environment in (first, second)
    )
    if first_settings and second_settings:
        seeds = [
            {"SEED": settings["SEED"]} if "SEED" in settings else {}
            for settings in (first_settings, second_settings)
        ]
        yield from _by_name("", seeds, "every stream comes from it")
        rest = [
            {name: settings[name] for name in settings if name != "SEED"}
            for settings in (first_settings, second_settings)
        ]
        yield from _by_name("", rest, "a setting that decides streams or algorithms")


def _look_at_the_hash_seed(first: Environment, second: Environment) -> Iterator[Explanation]:
    # None is a value here: it is not in effect.
    pythons = [environment.content["python"] for environment in (first, second)]
    values = [[python["hash_seed"]] if python else None for python in pythons]
    yield from _unlike("PYTHONHASHSEED", values, "the order of sets of strings follows it")


def _look_at_reseeding(first: Environment, second: Environment) -> Iterator[Explanation]:
    if facts.settings(first.content) and facts.settings(second.content):
        yield from _by_name(
            "seeded by the program:",
            [_reseeded(environment.content) for environment in (first, second)],
            "the program's own seed takes the place of SEED",
        )


def _reseeded(record: Record) -> dict[str, str]:
    return {
        f"{note['function']} at {note['place']}": note["used"]
        for process in record["seeds"]["processes"]
        for note in process["reseeded"]
    }


def _look_at_flag_changes(first: Environment, second: Environment) -> Iterator[Explanation]:
    flags = [environment.content["flags"] for environment in (first, second)]
    if all(flags):
        yield from _unlike("flags changed later", [*map(_changes, flags)], _OTHER_ALGORITHMS)


def _changes(flags: dict[str, Any]) -> list[str]:
    changes = [change["values"] for change in flags["changes"]]
    return sorted({f"{name}={value}" for values in changes for name, value in values.items()})


def _look_at_the_command(first: Environment, second: Environment) -> Iterator[Explanation]:
    lines = [
        " ".join(environment.content["command"]["argv"]) or None for environment in (first, second)
    ]
    yield from _unlike("command", lines, "another program, or other arguments")


def _look_at_changes_of_code(first: Environment, second: Environment) -> Iterator[Explanation]:
    first_changes, second_changes = (
        _dirt(environment.content["code"]) for environment in (first, second)
    )
    if None not in (first_changes, second_changes) and first_changes != second_changes:
        why = "code that no commit has"
        yield _explained(
            "uncommitted changes", first_changes, second_changes, why, len("diff ") + SHORT
        )


def _dirt(code: dict[str, Any]) -> str | None:
    if code["dirty"] is None:
        return None
    if not code["dirty"]:
        return "none"
    # None where git did not say what was changed.
    return f"diff {code['diff_sha256']}" if code["diff_sha256"] else "of unknown content"


def _look_at_modules(first: Environment, second: Environment) -> Iterator[Explanation]:
    yield from _in_both(
        "module",
        [facts.modules(environment.content) for environment in (first, second)],
        "other code",
    )


def _in_both(
    label: str, digests: Sequence[Mapping[str, str | None]], why: str
) -> Iterator[Explanation]:
    """Differences of the files of which both records have a digest."""
    first_digests, second_digests = digests
    both = [
        name
        for name in first_digests.keys() & second_digests.keys()
        if first_digests[name] and second_digests[name]
    ]
    tables = [{name: table[name] for name in both} for table in digests]
    yield from _by_name(label, tables, why, short=SHORT)


def _look_at_gpus(first: Environment, second: Environment) -> Iterator[Explanation]:
    if first.content["torch"] and second.content["torch"]:
        why = "kernels are chosen by model, and sums split by it"
        yield from _unlike("GPU", [_used(first), _used(second)], why)


def _used(environment: Environment) -> list[str]:
    used = environment.content["gpu"]["used"]
    return sorted({f"{gpu['name']} ({gpu['capability']})" for gpu in used})


def _look_at_arithmetic(first: Environment, second: Environment) -> Iterator[Explanation]:
    """What the machines of two runs compute, where both records have it."""
    contents = [first.content, second.content]
    found = [content.get("arithmetic") for content in contents]
    prints = [Fingerprint.from_json(content) for content in found if content]
    if len(prints) == 2:
        kinds = agreement.compare(*prints).kinds
        if kinds:
            named = ", ".join(dict.fromkeys(agreement.meaning(kind).words for kind in kinds))
            levels = [facts.settings(content).get("DETERMINISM") for content in contents]
            what_to_do = "; ".join(agreement.cures(kinds, levels))
            yield Explanation(
                *("the machines' arithmetic", prints[0].hash, prints[1].hash),
                f"it differs in {named}; {what_to_do}",
            )


def _look_at_instruction_sets(first: Environment, second: Environment) -> Iterator[Explanation]:
    cpus = [environment.content["cpu"] or {} for environment in (first, second)]
    sets = [cpu.get("instruction_sets") for cpu in cpus]
    if sets[0] is not None and sets[1] is not None:
        extras = [_only(sets[0], sets[1]), _only(sets[1], sets[0])]
        yield from _unlike("CPU instruction sets", extras, "oneDNN and MKL choose kernels by them")


def _only(sets: Sequence[str], others: Sequence[str]) -> str:
    there = set(others)
    extra = ", ".join(name for name in sets if name not in there)
    return f"with {extra}" if extra else "without"


def _look_at_files(first: Environment, second: Environment) -> Iterator[Explanation]:
    first_digests, second_digests = (
        _digests(environment.content) for environment in (first, second)
    )
    yield from _in_both("data file", (first_digests, second_digests), _OTHER_DATA)
    if first_digests and second_digests:
        for own, others, label in (
            (first_digests, second_digests, "first"),
            (second_digests, first_digests, "second"),
        ):
            only = sorted(own.keys() - others.keys())
            if only:
                more = f" and {len(only) - 3} more" if len(only) > 3 else ""
                yield Explanation(
                    f"data files read in the {label} only",
                    ", ".join(only[:3]) + more,
                    "not read in the other",
                    _OTHER_DATA,
                )


def _digests(record: Record) -> dict[str, str | None]:
    """Return path -> fingerprint of data files; below the working directory, the relative path."""
    below = f"{record['command']['cwd']}/"
    return {file["path"].removeprefix(below): file["sha256"] for file in record["files"]["read"]}


def _look_at_variables(first: Environment, second: Environment) -> Iterator[Explanation]:
    contents = [first.content, second.content]
    settings = [facts.settings(content) for content in contents]
    known = {*settings[0], *settings[1], *facts.NOT_OF_THE_BITS, "PYTHONHASHSEED"}
    # Not in the table of settings where no process of ours has told them.
    known -= set() if all(settings) else {"SEED"}
    starts = [content["environment"]["start"] for content in contents]
    tables = [{n: v for n, v in start.items() if n not in known} for start in starts]
    why = "it chooses algorithms, devices or threads"
    yield from _by_name("variable", tables, why)
    later = [facts.variables_later(content) for content in contents]
    yield from _by_name("variable changed by the program:", later, why)


_OTHER_ALGORITHMS = "torch chooses other algorithms or another precision"
_OTHER_DATA = "other data"
_SPLIT = "sums are split among threads"

LOOKS: tuple[Look, ...] = (
    _look_at_settings,
    _look_at_the_hash_seed,
    _look_at_reseeding,
    _named("flags", "flag", _OTHER_ALGORITHMS),
    _look_at_flag_changes,
    _look_at_the_command,
    _fact("code", "commit", "commit", "other code"),
    _look_at_changes_of_code,
    _look_at_modules,
    _fact("torch", "version", "torch", "other kernels and other reductions"),
    _fact("torch", "git_commit", "torch commit", "another build of torch"),
    _fact("torch", "cuda", "CUDA", "other kernels"),
    _fact("torch", "cudnn", "cuDNN", "it chooses other algorithms for convolutions"),
    _fact("torch", "nccl", "NCCL", "sums over ranks are taken in another order"),
    _fact("torch", "mkl", "MKL", "other kernels for matrix products on CPUs"),
    _fact("torch", "onednn", "oneDNN", "other kernels for convolutions on CPUs"),
    _fact("torch", "openmp", "OpenMP", "work is divided among threads in another way"),
    _look_at_gpus,
    _look_at_arithmetic,
    _fact(
        *("cpu", "capability", "CPU instruction set in use"),
        "torch has other kernels for it; even initial weights differ",
    ),
    _fact("cpu", "model", "CPU", "libraries choose kernels by model"),
    _look_at_instruction_sets,
    _fact("gpu", "driver", "GPU driver", "it compiles what a library has no binary for"),
    _fact("torch", "threads.intraop", "threads", _SPLIT),
    _fact("torch", "threads.interop", "threads between operators", _SPLIT),
    _fact("cpu", "affinity", "processors of the job", _SPLIT),
    _fact("distributed", "world", "ranks", "sums over ranks are split otherwise", otherwise="1"),
    _look_at_files,
    _named(
        *("packages", "package", "other code"),
        ("numpy", "triton", "torchvision", "torchaudio", "scipy", "pandas"),
    ),
    _look_at_variables,
    _fact("image", "base_digest", "base image", "everything in it"),
    _fact("python", "version", "Python", "another standard library"),
    _fact("system", "libc", "C library", "exp, log and sin may round otherwise"),
    _fact("system", "os", "operating system", "other system libraries"),
    _fact("system", "locale", "locale", "text may be sorted and read otherwise"),
    _fact("system", "timezone", "time zone", "local time differs"),
    _fact("system", "kernel", "kernel", "seldom any"),
)
"""What is looked at, likeliest first: section and name of a fact, label, and why it matters."""
