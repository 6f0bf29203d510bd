# SPDX-License-Identifier: Apache-2.0
"""This module ends a program that has made enough steps, with the workers that it has started."""

import time
from typing import Any, NoReturn

from seed_init.hook import state
from seed_init.proof.observer import callbacks

GRACE = 2.0
"""Seconds that a rank waits before it ends, so that the others have what it has sent them."""


def end_early() -> NoReturn:
    """Write what is to be written at the end, and end this process and its workers."""
    _end_workers()
    if state.rank() is not None:
        time.sleep(GRACE)
    callbacks.end_process()


def _end_workers() -> None:
    """End the children that multiprocessing would end at exit, such as a DataLoader's workers."""
    modules: list[Any] = list(state.copies.values())
    for module in modules:
        for child in module.active_children():
            child.terminate()
