# SPDX-License-Identifier: Apache-2.0
"""`seed-init portability` shows what this machine computes, as one hash, and compares machines."""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import CommandError
from seed_init.cli.tables import table
from seed_init.hook import portability, state, status
from seed_init.hook.settings import THREADS
from seed_init.proof.arithmetic import agreement, asking
from seed_init.proof.arithmetic.agreement import Agreement
from seed_init.proof.arithmetic.fingerprint import Fingerprint
from seed_init.proof.redaction import redaction
from seed_init.proof.running import emulator
from seed_init.proof.trace import machine, schemas, validation

FORMAT = 1
SCHEMA = "portability-1"

STATUS = {"same": 0, "different": 1, "nothing in common": 3, "unproven": 4}
"""Verdict to exit status, as of `seed-init compare`."""

EXAMPLES = """\
example:
  DETERMINISM=portable seed-init portability --json > laptop.json
  DETERMINISM=portable seed-init portability --compare laptop.json    # on another machine

Without DETERMINISM=portable the command shows what the libraries do by themselves.
"""

ADVICE = "give a file that seed-init portability --json has written"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `portability` to its parser."""
    parser.description = (
        "Compute what machines compute differently (the C library, NumPy, SciPy and PyTorch, "
        "where they are installed) under the settings of this environment, and print a hash. Two "
        "machines with equal hashes are expected to give the same bits on their CPUs. Exit status "
        "0: done, or the same. 1: not the same. 2: the command line or the file is wrong. 3: "
        "nothing could be compared. 4: nothing differs, but one of the machines lacks rows."
    )
    arguments.add_examples(parser, EXAMPLES)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="FILE",
        help="compare with what --json has written, here or on another machine",
    )
    parser.add_argument(
        "--emulate",
        metavar="MODEL",
        help="ask an emulated CPU instead, such as Haswell or EPYC: qemu-x86_64 of the package "
        "qemu-user must be there, and it takes minutes",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the fingerprint, or how it differs from that of a file; return the exit status.

    Raises:
        CommandError: the file cannot be read, or the probes gave no fingerprint.
    """
    # The file first: nobody wants to wait for a typing error.
    other = read(options.compare) if options.compare is not None else None
    own = _ask(options.emulate)
    if other is None:
        shown = printing.as_json(own) if options.json else printing.as_text(as_lines(own))
        return output.tell(shown, 0)
    agreed = agreement.compare(Fingerprint.from_json(own), Fingerprint.from_json(other))
    if options.json:
        shown = printing.as_json(comparison(agreed, own, other))
    else:
        shown = printing.as_text(compared_lines(agreed, own, other))
    return output.tell(shown, STATUS[agreed.verdict])


def _ask(model: str | None) -> dict[str, Any]:
    # With the same flags, such as -S and -I, the process finds the same packages as this one.
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    words, environment = [sys.executable, *flags], dict(os.environ)
    try:
        if model is None:
            return described(asking.ask(words))
        found = emulator.find((model,), environment)
        fault = found.fault(model, sys.executable)
        if fault is not None:
            raise CommandError(fault, status=1)
        environment |= found.machine(model, environment).variables
        fingerprint = asking.ask([*found.words(model), *words], environment=environment)
        return described(fingerprint, f"{model}, emulated by {found.version}")
    except emulator.CannotEmulate as error:
        raise CommandError(str(error)) from None
    except asking.CannotAsk as error:
        raise CommandError(str(error), status=error.status) from None


def described(fingerprint: Fingerprint, model: str | None = None) -> dict[str, Any]:
    """Return a fingerprint of this machine with the facts that explain it, as --json prints it.

    Args:
        fingerprint: of this machine.
        model: of the CPU, and the emulator; None where no CPU was emulated.
    """
    cpu = {"maker": _maker(), **machine.cpu(), "usable": portability.usable_cpus()}
    if model is not None:
        cpu |= {"maker": None, "model": model, "instruction_sets": []}
    facts = {
        "settings": _settings(),
        "cpu": cpu,
        "libc": machine.system()["libc"],
    }
    content: dict[str, Any] = redaction.deep({"format": FORMAT, **fingerprint.to_json(), **facts})
    return content


def _settings() -> dict[str, str]:
    rows = status.settings_in_order(state.settings)
    names = ("SEED_INIT", "DETERMINISM", THREADS)
    return {name: value for name, value, _ in rows if name in names}


def _maker() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id"))
    return next(found, None)


def read(path: Path) -> dict[str, Any]:
    """Read what --json has written.

    Raises:
        CommandError: the file cannot be read, or has something else.
    """
    try:
        content = validation.parsed(*validation.read(path))
        schemas.check(SCHEMA)(content)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}; {ADVICE}") from None
    except (validation.Invalid, schemas.Wrong) as error:
        raise CommandError(f"{path} is no fingerprint of a machine: {error}; {ADVICE}") from None
    if Fingerprint.from_json(content).hash != content["hash"]:
        raise CommandError(f"{path} is damaged: its hash is not that of its rows; {ADVICE}")
    checked: dict[str, Any] = content
    return checked


def as_lines(content: Mapping[str, Any]) -> list[str]:
    """Return a fingerprint as a person reads it."""
    rows = [
        (row["library"], agreement.meaning(row["kind"]).words, row["probe"], row["result"])
        for row in content["rows"]
    ]
    return [f"{content['hash']}  {_under(content)}", "", *table(rows), "", *table(_facts(content))]


def _under(content: Mapping[str, Any]) -> str:
    """Which libraries there were, and the level."""
    versions = Fingerprint.from_json(content).versions
    named = ", ".join(f"{library} {version}" for library, version in versions.items())
    return f"({named}; {_level(content)})"


def _level(content: Mapping[str, Any]) -> str:
    settings = content["settings"]
    if settings.get("SEED_INIT") == "0":
        return "SEED_INIT=0"
    named = [f"{name}={settings[name]}" for name in settings if name != "SEED_INIT"]
    return " ".join(named) or "no DETERMINISM"


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    cpu = content["cpu"]
    facts = [
        ("CPU", f"{cpu['model'] or 'unknown'}, maker {cpu['maker'] or 'unknown'}"),
        ("instruction sets", " ".join(cpu["instruction_sets"]) or "unknown"),
        ("usable CPUs", f"{cpu['usable']} of {cpu['processors']}"),
        *content["chosen"].items(),
    ]
    if "C library" not in content["chosen"]:
        facts.append(("C library", content["libc"] or "unknown"))
    facts += [("not there", f"{name}: {why}") for name, why in content["missing"].items()]
    return facts + [("failed", f"{name}: {why}") for name, why in content["failed"].items()]


def compared_lines(
    agreed: Agreement, own: Mapping[str, Any], other: Mapping[str, Any]
) -> list[str]:
    """Return how two fingerprints agree, as a person reads it."""
    lines = [
        agreed.verdict.upper(),
        "",
        *table(
            [
                ("here", own["hash"], _under(own)),
                ("there", other["hash"], _under(other)),
            ]
        ),
    ]
    if agreed.differ:
        lines += ["", "what differs:"]
        for kind, rows in agreed.kinds.items():
            meaning = agreement.meaning(kind)
            lines.append(f"  {meaning.words} ({meaning.why}): {'; '.join(map(str, rows))}")
        lines += ["", "what to do:", *(f"  {line}" for line in _cures(agreed, own, other))]
    facts = _unlike(own, other)
    if facts:
        lines += ["", "what may explain it:" if agreed.differ else "what differs all the same:"]
        lines += [f"  {line}" for line in table(facts)]
    lines += ["", f"compared: {len(agreed.equal) + len(agreed.differ)} rows"]
    if agreed.not_compared:
        lacking = "; ".join(agreed.not_compared)
        lines.append(f"not compared, because one side does not have them: {lacking}")
    return lines


def _cures(agreed: Agreement, own: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    levels = [content["settings"].get("DETERMINISM") for content in (own, other)]
    return agreement.cures(agreed.kinds, levels)


def _unlike(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts of two machines that are not equal."""
    here, there = dict(_facts(own)), dict(_facts(other))
    names = [name for name in here if name in there and here[name] != there[name]]
    return [(name, f"{here[name]} and {there[name]}") for name in names]


def comparison(
    agreed: Agreement, own: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how two fingerprints agree, as --json prints it."""
    return {
        "format": FORMAT,
        "verdict": agreed.verdict,
        "same": agreed.verdict == agreement.SAME,
        "differ": {kind: [str(row) for row in rows] for kind, rows in agreed.kinds.items()},
        "cures": _cures(agreed, own, other),
        "not_compared": list(agreed.not_compared),
        "here": own,
        "there": dict(other),
    }
