# SPDX-License-Identifier: Apache-2.0
"""What is asked of this machine for a record: once, where several runs get a record each."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seed_init.proof.trace import data_files, machine


class LocalFacts:
    """The answers of this machine, each of which is kept. Several threads may ask at once.

    To ask the driver for its GPUs, to list the packages and to read the data files takes a second
    and more, which a sweep of short runs would pay for every run.
    """

    def __init__(self) -> None:
        self._gpus: list[dict[str, Any]] | None = None
        self._packages: dict[tuple[tuple[str, int], ...], dict[str, str]] = {}
        self._files: dict[tuple[Path, int, int], tuple[str, str | None]] = {}

    def gpus(self) -> list[dict[str, Any]]:
        """Every GPU that the driver shows; none where there is no driver."""
        if self._gpus is None:
            self._gpus = machine.gpus()
        return self._gpus

    def packages(self, paths: Iterable[str]) -> dict[str, str]:
        """Name to version of what is installed for an interpreter.

        Args:
            paths: its `sys.path`. If one of them has changed, the packages are listed anew.
        """
        key = tuple((path, _changed(path)) for path in paths)
        if key not in self._packages:
            self._packages[key] = machine.packages([path for path, _ in key])
        return self._packages[key]

    def reader(self, budget: int) -> data_files.Reader:
        """A reader that knows the files which were read before and have not changed since.

        Args:
            budget: bytes that it may read.
        """
        return _Reader(budget, self._files)


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


class _Reader(data_files.Reader):
    def __init__(
        self, budget: int, files: dict[tuple[Path, int, int], tuple[str, str | None]]
    ) -> None:
        super().__init__(budget)
        self._files = files

    def _fingerprint(self, path: Path, size: int) -> tuple[str, str | None]:
        key = path, size, _changed(str(path))
        if key not in self._files:
            told = super()._fingerprint(path, size)
            if told[1] is None:
                return told  # beyond the budget of this reader
            self._files[key] = told
        return self._files[key]
