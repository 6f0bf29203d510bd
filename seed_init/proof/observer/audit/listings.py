# SPDX-License-Identifier: Apache-2.0
"""This module finds directory listings whose order, the file system's, user code depends on.

Python tells audit hooks of each listing (the table of audit events in its documentation), however
the function was imported. Such a hook stays until the process ends.
"""

import sys
from types import FrameType

from seed_init.hook import callers
from seed_init.proof.observer import core
from seed_init.proof.observer.audit import findings, ordering, sources

EVENTS = {
    "os.listdir": "os.listdir",
    "os.scandir": "os.scandir",
    "os.walk": "os.walk",
    "os.fwalk": "os.fwalk",
    "glob.glob": "glob.glob",
    "pathlib.Path.glob": "Path.glob",
    "pathlib.Path.rglob": "Path.rglob",
    "pathlib.Path.walk": "Path.walk",
}
"""Event -> the function as the user knows it."""

RAISED_BY = {
    "glob.glob": ("glob",),
    "os.walk": ("os",),
    "os.fwalk": ("os",),
    "pathlib.Path.glob": ("pathlib",),
    "pathlib.Path.rglob": ("pathlib",),
    "pathlib.Path.walk": ("pathlib",),
}
"""Event -> modules of Python whose frames are between the event and the user's code."""

_free: dict[sources.Spot, bool] = {}


def start() -> None:
    """Add the audit hook that hears of each listing."""

    def heard(event: str, arguments: object) -> None:
        # None when the interpreter takes its modules apart.
        if EVENTS is not None and event in EVENTS:
            _listed(event, callers.above())

    sys.addaudithook(heard)


@core.guarded
def _listed(event: str, frame: "FrameType | None") -> None:
    what, between = EVENTS[event], RAISED_BY.get(event, ())
    if event == "os.listdir" and _is_iterdir(frame):
        what, between = "Path.iterdir", ("pathlib",)
    while frame is not None and callers.module_of(frame).partition(".")[0] in between:
        frame = frame.f_back
    if frame is None or not sources.is_user(frame):
        return
    spot = sources.spot(frame)
    if spot not in _free:
        _free[spot] = ordering.is_free(spot, walks=what.endswith("walk"))
    if not _free[spot]:
        findings.note("listing", what, spot)


def _is_iterdir(frame: "FrameType | None") -> bool:
    if frame is None or frame.f_code.co_name != "iterdir":
        return False
    return callers.module_of(frame).partition(".")[0] == "pathlib"
