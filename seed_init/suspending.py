"""Put this process's streams aside for a while, and take them up again where they were."""

from seed_init import processes, seeding, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Streams:
    """The streams of this process, put aside; others have taken their place.

    Args:
        seed: takes SEED's place from now on; None keeps the seed in effect.
        part: of the job, whose streams they are from now on; () for the whole.
    """

    def __init__(self, seed: int | None, part: streams.Path) -> None:
        self._states: dict[str, Any] = {
            name: library.state()
            for name, library in seeding.libraries_here()
            if hasattr(library, "state") and name not in seeding.locked
        }
        self._numbers = processes.numbers()
        self._aside = seeding.suspend(seed, part)

    def resume(self) -> None:
        """Put everything back as it was. Does the same when it is called again.

        A library that was imported in the meantime, or whose state cannot be read, starts as it
        does after its import.
        """
        seeding.resume(self._aside)
        processes.put_back(self._numbers)
        seed = seeding.process_seed()
        for name, library in seeding.libraries_here():
            if name in self._states:
                library.restore(self._states[name])
            elif seed is not None and name not in seeding.locked:
                library.seed(seed)
                seeding.seeded[name] = seed
