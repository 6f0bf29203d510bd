# SPDX-License-Identifier: Apache-2.0
"""This module finds the clocks and the entropy that user code reads, and not libraries' own.

The functions are replaced, not watched by sys.setprofile: a profile function costs every call of
the program, and one that the user sets would end ours.
"""

import os
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.audit import findings, replacing, sources

CLOCKS = (
    "time",
    "time_ns",
    "perf_counter",
    "perf_counter_ns",
    "monotonic",
    "monotonic_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "thread_time_ns",
    "clock_gettime",
    "clock_gettime_ns",
)
"""Functions of `time` that read a clock."""

CONVERTING = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions of `time` that read a clock where the argument of this number is not given."""

DATES = (("datetime", "now"), ("datetime", "utcnow"), ("date", "today"))

STANDARD = ("random", "secrets", "uuid")
"""Modules that read the system's entropy for whoever calls them."""

_in_date = False  # date.today asks time.time (Modules/_datetimemodule.c)


def start() -> None:
    """Replace the functions."""
    for name in CLOCKS:
        _replace(time, name, _clock(f"time.{name}", None))
    for name, position in CONVERTING.items():
        _replace(time, name, _clock(f"time.{name}", position))
    for name in ("urandom", "getrandom"):
        _replace(os, name, _entropy(f"os.{name}"))
    callbacks.after_import("random", _watch_random)
    replacing.after_import("datetime", _watch_dates)
    replacing.after_import("uuid", _watch_uuid)


def _replace(owner: Any, name: str, make: "Callable[..., Any]") -> None:
    replacing.function(owner, name, replacing.unbound(make))


def _clock(what: str, position: "int | None") -> "Callable[..., Any]":
    def make(original: "Callable[..., Any]") -> "Callable[..., Any]":
        is_user_file = user_code.is_user_file

        def clock(*arguments: Any, **keywords: Any) -> Any:
            frame = callers.above()
            if frame is not None and is_user_file(frame.f_code.co_filename) and not _in_date:
                passed = arguments[position:] if position is not None else ()
                if not passed or passed[0] is None:
                    findings.note("clock", what, sources.spot(frame))
            return original(*arguments, **keywords)

        return clock

    return make


def _entropy(what: str) -> "Callable[..., Any]":
    def make(original: "Callable[..., Any]") -> "Callable[..., Any]":
        def entropy(*arguments: Any, **keywords: Any) -> Any:
            _read(what, callers.above())
            return original(*arguments, **keywords)

        return entropy

    return make


@core.guarded
def _read(what: str, frame: "FrameType | None") -> None:
    while frame is not None and callers.module_of(frame) in STANDARD:
        if frame.f_code.co_name == "_randbelow_with_getrandbits" and "r" in frame.f_locals:
            return  # drawn once more for the same number, because the first one was too large
        module = callers.module_of(frame)
        what = "random.SystemRandom" if module == "random" else f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    if frame is not None and sources.is_user(frame):
        if what == "random.SystemRandom":
            what = sources.callee(frame, what)  # secrets.choice is a method of one
        findings.note("entropy", what, sources.spot(frame))


def _watch_random() -> None:
    random: Any = sys.modules["random"]
    if not hasattr(random._urandom, "__wrapped__"):
        replacing.function(random, "_urandom", _entropy("os.urandom"))


def _watch_uuid() -> None:
    """Watch `uuid1`, which may ask a library in C for everything. `uuid4` asks os.urandom."""
    replacing.function(sys.modules["uuid"], "uuid1", _entropy("uuid.uuid1"))


def _watch_dates() -> None:
    module: Any = sys.modules["datetime"]
    for kind, name in DATES:
        replacing.in_type(getattr(module, kind), name, _date(f"datetime.{kind}.{name}"))


def _date(what: str) -> "Callable[[Any], Any]":
    def make(original: Any) -> Any:
        def read(cls: type, *arguments: Any, **keywords: Any) -> Any:
            global _in_date
            frame = callers.above()
            if frame is not None and sources.is_user(frame):
                findings.note("clock", what, sources.spot(frame))
            before, _in_date = _in_date, True
            try:
                return original.__get__(None, cls)(*arguments, **keywords)
            finally:
                _in_date = before

        return classmethod(callers.like(original)(read))

    return make
