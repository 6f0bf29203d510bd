# SPDX-License-Identifier: Apache-2.0
"""What a run has given, as short facts by which runs of one sweep are compared.

Positions of generators are no part of this: they follow SEED in a program that draws nothing.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import End, Start, Step, Tensors, end_of, training_of

PLACES_MOST = 20
"""How many places are kept at which a program seeds by itself."""

PATHS_MOST = 200
"""How many written files are kept."""


def facts(processes: Sequence[Process]) -> dict[str, Any]:
    """Return what `run.json` says of the observed processes of a run.

    Args:
        processes: the processes, as `journal.read` gives them.
    """
    ends = [
        event["seeds"]
        for process in processes
        for event in process.of("facts")
        if event["moment"] == "end" and "seeds" in event
    ]
    return {
        "observed": len(processes),
        "results": results(processes),
        "seeded_by_program": _places(ends),
        "not_covered": list(dict.fromkeys(line for end in ends for line in end["not_covered"])),
        "wrote": list(_written(processes))[:PATHS_MOST],
        "failures": [event["what"] for process in processes for event in process.of("failed")],
    }


def _places(ends: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return where the program has seeded by itself, and with what."""
    places = {
        (note["function"], note["place"]): {
            "function": note["function"],
            "place": note["place"],
            "given": without_secrets(note["given"]),
        }
        for end in ends
        for note in end["reseeded"]
    }
    return list(places.values())[:PLACES_MOST]


def _written(processes: Sequence[Process]) -> Iterator[str]:
    seen = set()
    for process in processes:
        for event in process.of("file"):
            if event["mode"] == "written" and event["path"] not in seen:
                seen.add(event["path"])
                if Path(event["path"]).is_file():  # what is gone was temporary
                    yield event["path"]


def modules(processes: Sequence[Process]) -> list[str]:
    """Return the files of the user's own modules that a run has imported."""
    return sorted(
        {
            file
            for process in processes
            for event in process.of("facts")
            for file in event.get("modules", ())
        }
    )


def results(processes: Sequence[Process]) -> dict[str, Any] | None:
    """Return what was trained, as one digest; None where nothing was, or not everything was seen.

    The digest covers the losses, gradients and parameters of every step, as far as steps were
    observed, and the final parameters.
    """
    if any(process.of("failed") for process in processes):
        return None
    steps = weights = 0
    digests = []
    for process in processes:
        moments, end = training_of(process), end_of(process)
        finals = {} if end is None else end.finals
        steps += sum(isinstance(moment, Step) for moment in moments)
        weights += sum(bool(digest) for final in finals.values() for digest in final)
        if moments or finals:
            digests.append(_digest(process, moments, end))
    if not steps and not weights:
        return None
    # Sorted, because processes of one run begin in any order.
    whole = sha256("\n".join(sorted(digests)).encode()).hexdigest()
    return {"steps": steps, "weights": weights, "digest": whole}


def _digest(process: Process, moments: Sequence[Start | Step], end: End | None) -> str:
    content = sha256(f"{process.rank}\n".encode())
    for moment in moments:
        content.update(f"{moment.optimizer} {moment.call}".encode())
        if isinstance(moment, Step):
            content.update(repr([loss.bits for loss in moment.losses]).encode())
            _add(content, moment.gradients)
        _add(content, moment.parameters)
    for optimizer, final in sorted({} if end is None else end.finals.items()):
        content.update(f"{optimizer} {' '.join(final)}\n".encode())
    return content.hexdigest()


def _add(content: Any, tensors: Tensors | None) -> None:
    content.update(b"-\n" if tensors is None else f"{tensors.vector or tensors.total}\n".encode())


class Lines:
    """The standard output of a run as it is compared with that of another seed.

    What every run prints by its own nature is left out: the names that `{seed}` and `{dir}` have
    become, and the seed after the word `seed`.

    Args:
        seed: the seed of the run.
        names: the words that the seed and the directory have become part of.
    """

    def __init__(self, seed: int, names: Collection[str]) -> None:
        # The longest first, because a name may be the beginning of another one.
        known = sorted((name for name in names if name), key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, known))) if known else None
        # `random_seed=7` and `"seed": 7` as well.
        self._seed = re.compile(rf"((?<![A-Za-z])seeds?\b\W{{0,4}}){seed}\b", re.IGNORECASE)

    def of(self, file: Path) -> Iterator[str]:
        """Yield the lines of a file.

        Args:
            file: the standard output of the run.
        """
        with file.open("rb") as content:
            for line in content:
                text = line.decode(errors="backslashreplace")
                if self._names is not None:
                    text = self._names.sub("{name}", text)
                yield self._seed.sub(r"\1{seed}", text)
