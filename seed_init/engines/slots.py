# SPDX-License-Identifier: Apache-2.0
"""Number the workers of a server, which starts another one in the place of each that has ended."""


class Slots:
    """The places of the workers that run: 1, 2, and so on; and how often each has been taken."""

    def __init__(self) -> None:
        self._taken: dict[object, int] = {}
        self._attempts: dict[int, int] = {}

    def next_place(self, running: "set[object]") -> tuple[str | int, ...]:
        """The place of a worker that is about to start.

        Args:
            running: the workers that run, as `take` was told them.

        Returns:
            A part of a path: the number of the place, the first that is free, and from the second
            worker in this place on the number of the attempt.
        """
        self._taken = {key: slot for key, slot in self._taken.items() if key in running}
        slot = 1
        while slot in self._taken.values():
            slot += 1
        attempt = self._attempts[slot] = self._attempts.get(slot, 0) + 1
        self._last = slot
        return (slot,) if attempt == 1 else (slot, "attempt", attempt)

    def take(self, worker: object) -> None:
        """Say that a worker has started in the place that was given last."""
        self._taken[worker] = self._last
