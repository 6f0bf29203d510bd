# SPDX-License-Identifier: Apache-2.0
"""This module finds imported libraries with generators of their own, and which follow SEED."""

import sys
from importlib.machinery import PathFinder
from typing import Any

from seed_init.hook import callers, seeding, startup, state
from seed_init.libraries import uncovered
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.audit import findings, sources


def start() -> None:
    """Watch which of these libraries are imported, and by which code."""
    for name in startup.LIBRARIES:
        if name not in seeding.PROMISED:
            callbacks.after_import(name, _covered(name))
    sys.meta_path.insert(0, _Finder())


def _covered(name: str) -> Any:
    def write() -> None:
        if name in seeding.not_seeded:
            core.journal.write("uncovered", library=name, by="")
        # With SEED=off it is imported and set up, but not seeded.
        elif state.base_seed() is not None:
            core.journal.write("covered", library=name)

    return write


class _Finder:
    """A finder that finds nothing, but sees which modules are looked for."""

    def __init__(self) -> None:
        self.waiting = uncovered.REMEDIES.keys() - startup.LIBRARIES.keys()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Note the first import of a library of the table."""
        if name in self.waiting:
            self.waiting.discard(name)
            _note(name, path, callers.above())


@core.guarded
def _note(name: str, path: Any, frame: Any) -> None:
    spec = PathFinder.find_spec(name, path)
    # Not installed, or a module of the program's own.
    if spec is None or (spec.origin is not None and user_code.is_user_file(spec.origin)):
        return
    user, library = sources.behind(frame)
    if user is not None and not library:
        findings.note("library", name, sources.spot(user), uncovered.REMEDIES[name])
    else:
        # Nobody knows whether the user has it draw: transformers imports tokenizers anyway.
        core.journal.write("uncovered", library=name, by=library.partition(".")[0])
