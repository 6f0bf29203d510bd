# SPDX-License-Identifier: Apache-2.0
"""Put this process's streams aside for a while, and take them up again where they were."""

from seed_init.hook import children, seeding, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Streams:
    """The streams of this process as they are now, for `resume`."""

    def __init__(self) -> None:
        self._states: dict[str, Any] = {
            name: library.state()
            for name, library in seeding.libraries_here()
            if hasattr(library, "state") and name not in seeding.locked
        }
        self._numbers = children.numbers()
        self._round = seeding.present_round()

    def replace(self, seed: int | None, part: streams.Path) -> None:
        """Have others take their place. May be called again.

        Args:
            seed: takes SEED's place from now on; None keeps the seed that was in effect.
            part: of the job, whose streams they are from now on; () for the whole.
        """
        seeding.resume(self._round)
        seeding.begin_within(seed, part)

    def resume(self) -> None:
        """Put everything back as it was. Does the same when it is called again.

        A library that was imported in the meantime, or whose state cannot be read, starts as it
        does after its import.
        """
        seeding.resume(self._round)
        children.put_back(self._numbers)
        seed = seeding.process_seed()
        for name, library in seeding.libraries_here():
            if not self._restore(name, library) and seed is not None and name not in seeding.locked:
                library.seed(seed)
                seeding.seeded[name] = seed

    def _restore(self, name: str, library: "Any") -> bool:
        if name not in self._states:
            return False
        try:
            library.restore(self._states[name])
        except Exception as error:
            # Whatever the user's code has made of the library: no reason to end the session.
            seeding.say(f"{name} starts over, its state cannot be put back: {error}")
            return False
        return True


def replace(aside: Streams, seed: int | None, part: streams.Path) -> None:
    """`Streams.replace`, for `startup.guarded`: a signal must not leave it half done."""
    aside.replace(seed, part)
