# SPDX-License-Identifier: Apache-2.0
"""One file a library: how to seed it, and how to set its flags. `Library` is what they share.

Each file has an object `library`, of a class below `Library`, which overrides what its library
needs. `startup.LIBRARIES` names the files; a file may import its library, since it is loaded only
after the library's own import. docs/reference/libraries.md says how to add one. `one_call` is for
those that one function seeds; `uncovered` is the table of the libraries that SEED does not reach.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from seed_init.hook.settings import Settings

    Stream = Callable[..., int]
    """From a label, texts and numbers, to 128 bits that this process alone has under it."""


class Library:
    """What the hook asks of a library. Each default is right for one that has nothing of the kind.

    No method may raise where the library is as it is expected to be, start a device or threads,
    load anything heavy, print, or draw from another generator.
    """

    def seed(self, value: int) -> None:
        """Seed the default generators: after the import, in a worker, at `seed_init.reseed()`.

        Args:
            value: 0...4294967295.
        """

    def watch(self) -> None:
        """Have the functions that make or seed generators ask the hook. Called again and again.

        Called once something is seeded. The functions ask `unseeded.entropy` or
        `reseeding.seed_for`; `callers.like` has them look like those that they stand in for.
        """

    def configure(self, settings: "Settings") -> "list[str]":
        """Set the determinism flags, after the import.

        Args:
            settings: what this process was asked to do.

        Returns:
            Lines for SEED_INIT_LOG=debug.
        """
        return []

    def flags(self) -> "dict[str, str]":
        """The determinism flags at this moment: variable of the contract -> value."""
        return {}

    def seed_again(self, value: int) -> None:
        """As `seed`, for each of many units of work: a task may take less time than `seed`."""
        self.seed(value)

    # --- %%seeded ---

    def state(self) -> "Any":
        """The state of the default generators; None: they can only start over."""
        return None

    def restore(self, state: "Any") -> None:
        """Put back what `state` gave."""

    # --- forks ---

    def seed_in_fork(self, value: int) -> bool:
        """As `seed`, in a forked child, which is to touch as little memory as possible.

        Returns:
            False where the child has inherited the generator's lock taken: nobody can unlock it.
        """
        self.seed(value)
        return True

    def lock_generators(self) -> bool:
        """Before a fork of a process with other threads: take the lock of the default generators.

        Returns:
            False where another thread holds the lock and does not let go.
        """
        return True

    def unlock_generators(self) -> None:
        """After that fork, in parent and child: let go what `lock_generators` took."""

    def is_locked(self) -> bool:
        """In that child: whether the lock was inherited taken.

        For a lock that `lock_generators` can wait for but not keep.
        """
        return False

    # --- generators that were made without a seed, and that a worker holds from its parent ---

    def find_unseeded(self) -> None:
        """Before a fork: find the generators for `adopt_unseeded`, while that is cheap."""

    def notes_for_pickled(self) -> "Any":
        """What a spawned worker needs to know about the generators it gets by pickle.

        Returns:
            Something that pickle takes; None where there are none to recognise.
        """
        return None

    def recognise_pickled(self, notes: "Any") -> None:
        """In a spawned worker: find the generators that came from its parent.

        Args:
            notes: what `notes_for_pickled` gave there.
        """

    def adopt_unseeded(self, stream: "Stream") -> None:
        """In a worker: give each of these generators a stream of this process.

        Args:
            stream: gives the stream that has a label.
        """
