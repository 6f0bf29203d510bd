# SPDX-License-Identifier: Apache-2.0
"""NetworKit, which keeps a generator for each OpenMP thread.

Its threads take their seeds when they draw next; no thread is started for it.
"""

from seed_init.libraries.one_call import OneCall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _by_thread(function: "Callable[[int, bool], None]", value: int) -> None:
    function(value, True)  # the thread's number is added: the threads must not repeat each other


library = OneCall("networkit", "setSeed", _by_thread)
