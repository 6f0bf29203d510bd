# SPDX-License-Identifier: Apache-2.0
"""Compute the same cases on this machine and on emulated CPUs, and print what differs."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.portability import emulators, results, table
from benchmarks.portability.machines import (
    CONTRAST,
    DEFAULT,
    LEVEL,
    NATIVE,
    PARTS,
    Laboratory,
    Machine,
    machines,
    say,
)
from harness import machine as this_machine

NOT_FINISHED = results.UNFINISHED


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with tempfile.TemporaryDirectory(prefix="seed-init-portability-") as place:
            return measure(options, Path(place))
    except KeyboardInterrupt:
        say("benchmarks.portability: interrupted; the same command goes on")
        return 128 + signal.SIGINT
    except (emulators.Failed, results.Unreadable) as error:
        say(f"benchmarks.portability: {error}")
        return 2
    except OSError as error:
        say(f"benchmarks.portability: {error.filename} cannot be written: {error.strerror}")
        return 2


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.portability",
        description=__doc__,
        epilog="The exit status is 0 if the level is kept on every machine, 1 if not, and 75 if "
        "--seconds were over before everything was computed: the same command goes on.",
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="keeps results")
    parser.add_argument("--qemu", default="", metavar="PATH", help="default: qemu-x86_64 on PATH")
    parser.add_argument(
        "--models",
        type=names,
        metavar="NAME,…",
        help=f"emulated under the level; default: of {', '.join(emulators.MAKERS)} what qemu has",
    )
    parser.add_argument(
        "--contrast",
        type=names,
        default=list(CONTRAST),
        metavar="NAME,…",
        help=f"emulated by default settings; default: {','.join(CONTRAST)}",
    )
    parser.add_argument("--parts", type=names, default=list(PARTS), metavar="NAME,…")
    parser.add_argument("--only", default="", metavar="TEXT", help="machines with this in the name")
    parser.add_argument("--recipes", type=names, default=[LEVEL, DEFAULT], metavar="NAME,…")
    parser.add_argument("--all", action="store_true", help="all samples of each operator")
    parser.add_argument("--seconds", type=float, default=1e9, help="of this call")
    parser.add_argument("--packages", default="", metavar="FOLDER", help="for all interpreters")
    parser.add_argument("--table", action="store_true", help="print the tables, compute nothing")
    options = parser.parse_args()
    for given, known in ((options.parts, PARTS), (options.recipes, (LEVEL, DEFAULT))):
        for name in given:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    return options


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def measure(options: argparse.Namespace, place: Path) -> int:
    """Compute what is missing, and print the tables."""
    end = time.monotonic() + options.seconds
    emulator = None
    if options.models is None or options.models or options.contrast:
        emulator = emulators.find(options.qemu)
    models = known_models(emulator, options.models)
    contrast = known_models(emulator, options.contrast)
    laboratory = Laboratory(options.to, place, emulator, options.packages, options.all)
    todo = [
        (each, part)
        for each in machines(models, contrast)
        for part in each.parts
        if part in options.parts and each.recipe in options.recipes
    ]
    chosen = [
        (each, part)
        for each, part in todo
        if options.only in each.name and not laboratory.done(each, part).exists()
    ]
    is_finished = True
    if not options.table:
        is_finished = compute(laboratory, chosen, place, end)
    print(text(laboratory, todo))
    if not is_finished:
        return NOT_FINISHED
    return 0 if is_kept(laboratory, todo) else 1


def known_models(emulator: emulators.Emulator | None, given: list[str] | None) -> list[str]:
    """The models that are emulated; without any given, those of the table that qemu has.

    Raises:
        Failed: a given one is none that qemu has.
    """
    if emulator is None:
        return []
    for model in given or []:
        if not emulator.has(model):
            raise emulators.Failed(
                f"qemu {emulator.version} has no {model}; -cpu help lists what it has, and --qemu "
                "names a newer one"
            )
    if given is not None:
        return given
    return [model for model in emulators.MAKERS if emulator.has(model)]


def compute(
    laboratory: Laboratory, chosen: Sequence[tuple[Machine, str]], place: Path, end: float
) -> bool:
    """Compute the chosen parts; returns whether all of them are complete."""
    checked: set[str] = set()
    program = None
    if "census" in {part for _, part in chosen}:
        laboratory.make_inputs()
    for number, (machine, part) in enumerate(chosen, 1):
        left = end - time.monotonic()
        if left <= 0:
            return False
        say(f"{number} of {len(chosen)}: {part}, {machine.name}, {machine.recipe}")
        if machine.model and machine.model not in checked:
            assert laboratory.emulator is not None
            program = program or emulators.compile_check(place)
            count = emulators.check(laboratory.emulator, machine.model, program)
            emulators.check_functions(laboratory.emulator, machine.model, laboratory.bare)
            say(f"{machine.model}: {count} instructions agree with those of this CPU")
            checked.add(machine.model)
        if not laboratory.run(machine, part, end - time.monotonic()):
            return False
    return True


LEAST = {"programs": 320, "census": 4000}
"""How many cases a whole part has at least."""

FEW = 60
"""How many names a row has at most by default settings, where hundreds of cases differ."""

UNITS = {"programs": "digests", "census": "cases"}


def text(laboratory: Laboratory, todo: Sequence[tuple[Machine, str]]) -> str:
    """The tables in Markdown, under the machine and the versions."""
    found = results.versions("torch", "numpy", "scipy", "scikit-learn", "xgboost/xgboost-cpu")
    told = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    emulator = laboratory.emulator
    lines = [this_machine.description(), f"packages: {told}"]
    if emulator:
        lines.append(f"emulator: qemu-user {emulator.version}, checked against this CPU first")
    for recipe, title in ((LEVEL, "DETERMINISM=portable"), (DEFAULT, "default settings")):
        for part in PARTS:
            rows = [
                row(laboratory, machine, part)
                for machine, of in todo
                if of == part and machine.recipe == recipe and machine.reference
            ]
            if rows:
                most = {"most": FEW} if recipe == DEFAULT else {}
                lines += ["", table.markdown(f"{part}, {title}", UNITS[part], rows, **most)]
    for part in PARTS:
        names = refused(laboratory, part)
        if names:
            lines += ["", f"### {part}, refused under DETERMINISM=portable only", "", names]
    lines += ["", "### another number of threads in the environment", ""]
    lines += [f"- `{setting}`: {answer}" for setting, answer in laboratory.refusals()]
    return "\n".join(lines)


def refused(laboratory: Laboratory, part: str) -> str:
    """The names of the cases that raise an exception under the level only; "" if there are none."""
    both = [Machine(recipe, NATIVE) for recipe in (LEVEL, DEFAULT)]
    if not all(laboratory.done(each, part).exists() for each in both):
        return ""
    found = table.refused(*(results.read(laboratory.file(each, part)) for each in both))
    return ", ".join(f"`{name}`" for name in found)


def row(laboratory: Laboratory, machine: Machine, part: str) -> table.Row:
    """The row of a machine in the table of a part."""
    model = machine.model
    name = f"{model} ({emulators.MAKERS.get(model, 'emulated')})" if model else machine.name
    return table.Row(name, machine.reference, comparison(laboratory, machine, part))


def comparison(laboratory: Laboratory, machine: Machine, part: str) -> table.Comparison | None:
    """What a machine and its reference have computed; None where one is not complete."""
    reference = Machine(machine.recipe, machine.reference)
    if not all(laboratory.done(each, part).exists() for each in (machine, reference)):
        return None
    one, other = (results.read(laboratory.file(each, part)) for each in (reference, machine))
    return table.compare(one, other, LEAST[part])


def is_kept(laboratory: Laboratory, todo: Sequence[tuple[Machine, str]]) -> bool:
    """Whether every machine was compared under the level, and none differs."""
    found = [
        comparison(laboratory, machine, part)
        for machine, part in todo
        if machine.recipe == LEVEL and machine.reference
    ]
    refused = all(answer != "accepted" for _, answer in laboratory.refusals())
    return bool(found) and refused and all(each and each.is_equal for each in found)


if __name__ == "__main__":
    sys.exit(main())
