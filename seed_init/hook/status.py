# SPDX-License-Identifier: Apache-2.0
"""What holds in this process or environment, as data: for `status()` and the CLI."""

import os
import sys

from seed_init.hook import (
    announcing,
    determinism,
    reseeding,
    seeding,
    startup,
    state,
    switches,
    unseeded,
)
from seed_init.hook.settings import Settings
from seed_init.installing import placement


def status() -> dict[str, object]:
    """See `seed_init.status`."""
    settings, rank = state.settings, state.rank()
    units = sys.modules.get("seed_init.hook.units")
    unit = units.current() if units is not None else None
    return {
        "version": version(),
        "python": sys.executable,
        "hook": hook_state(settings),
        "installed": installed(),
        "seed": state.process_seed(),
        "restart": list(settings.restart[1:]),
        "path": list(state.path),
        "rank": rank[0] if rank else None,
        "unit": None if unit is None else {"engine": unit.engine, "path": list(unit.path)},
        "settings": [
            {"name": name, "value": value, "origin": origin}
            for name, value, origin in settings_in_order(settings)
        ],
        "flags": flags_now(settings),
        "switches": {} if settings.is_off else switches.in_effect(settings),
        "arithmetic": arithmetic(settings),
        "seeded": dict(seeding.seeded),
        "unseeded": unseeded.count_by_library(),
        "reseeded": reseeding.status(),
        "not_covered": not_covered(settings),
    }


def version() -> str:
    """The release of the package, which its first file has."""
    return str(sys.modules["seed_init"].__version__)


def installed() -> list[str]:
    """The files of the hook in this Python, or the one that runs here from its base Python."""
    files = [str(path) for path in placement.installed(placement.here())]
    running = sys.modules.get("_seed_init_startup")
    return files or ([str(running.__file__)] if running is not None else [])


def hook_state(settings: Settings) -> str:
    """One of "off" (SEED_INIT=0), "idle" (nothing asked for), "not active" and "active"."""
    if settings.is_off:
        return "off"
    if settings.determinism is None:
        return "idle"
    return "active" if startup.started else "not active"


def settings_in_order(settings: Settings) -> list[tuple[str, str, str]]:
    """(name, value, origin) of every variable of the contract that has a value."""
    if settings.is_off:
        return [("SEED_INIT", "0", "environment")]
    return [
        (name, settings.values[name], settings.origins[name])
        for name in startup.ACCEPTED
        if name in settings.values
    ]


def flags_now(settings: Settings) -> dict[str, dict[str, str | None]]:
    """Torch flag to its wanted value, the origin of that, and the value now.

    "now" is None where torch is not imported: asking must not import it.
    """
    if settings.is_off:
        return {}
    now = seeding.load("torch").flags() if "torch" in sys.modules else {}
    return {
        name: {"value": value, "origin": origin, "now": now.get(name)}
        for name, (value, origin) in determinism.wanted(settings).items()
    }


def arithmetic(settings: Settings) -> dict[str, dict[str, str | None]]:
    """The variables of level portable: name to the value, its origin and the value now."""
    if settings.is_off or settings.determinism != "portable":
        return {}
    from seed_init.hook import portability

    return portability.in_effect(settings.values)


def not_covered(settings: Settings) -> list[str]:
    """What this process cannot promise, one line each, with what to do about it."""
    if settings.is_off:
        return ["SEED_INIT=0: nothing is seeded"]
    if settings.determinism is None:
        return [
            "neither the environment nor a defaults file has SEED or DETERMINISM: nothing is "
            "seeded; set SEED"
        ]
    lines = []
    if not startup.started:
        lines.append(
            f"the hook did not run in {sys.executable}; run 'seed-init install' with it "
            "(and start it without -S)"
        )
    if not hash_order_is_fixed():
        lines.append(
            "PYTHONHASHSEED is not in effect: the order of sets of strings differs from run to "
            "run; set PYTHONHASHSEED=0 before Python starts"
        )
    for name in missed_libraries():
        lines.append(
            f"{name} was imported past the hook and is not seeded; seed_init.reseed() does"
        )
    lines += [f"{name} is not seeded: {why}" for name, why in seeding.not_seeded.items()]
    warning = announcing.cublas_warning(settings)
    if warning:
        lines.append(warning)
    return lines + announcing.switch_warnings(settings)


def hash_order_is_fixed() -> bool:
    """True where this interpreter was started with a PYTHONHASHSEED that it obeyed."""
    value = os.environ.get("PYTHONHASHSEED", "")
    return value.isdecimal() and not sys.flags.ignore_environment


def missed_libraries() -> list[str]:
    """Libraries that are imported while the finder still waits for their import."""
    waiting = startup.finder.waiting if startup.finder is not None else {}
    return [name for name in startup.LIBRARIES if name in waiting and name in sys.modules]
