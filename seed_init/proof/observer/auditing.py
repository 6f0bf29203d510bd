"""The instrument `auditing`: what user code does that another run may not repeat."""

from seed_init.proof import observer
from seed_init.proof.observer.audit import (
    findings,
    flags,
    generators,
    listings,
    operators,
    readings,
    workers,
)


def start() -> None:
    """Start each part. One that fails is reported, and the others go on."""
    for part in (findings, generators, flags, operators, listings, readings, workers):
        observer.guarded(part.start)()
