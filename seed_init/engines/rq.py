# SPDX-License-Identifier: Apache-2.0
"""RQ: each job has streams of its own, in whichever worker it runs.

Whoever makes a job numbers it, by the name of its function. Path and seed are a field of the job's
hash in Redis, which RQ reads by the names of fields, so that a worker without the hook sees
nothing of it. A job that is tried again has the same path; one that repeats has one for each time.

A job without that field has its id for a path, which mostly is a random number.
"""

from seed_init.engines import Engine, messages
from seed_init.hook import callers, numbering, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

FIELD = "seed_init"
"""In the hash of a job: its path and the producer's seed, as JSON."""

ATTRIBUTE = "_seed_init"
"""Has the text of that field, in the object that stands for a job."""


class Rq(Engine):
    """Jobs of every class of workers, and those that a program runs itself (`is_async=False`)."""

    name = "RQ"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (rq/job.py)."""
        job: Any = module.Job
        create, to_dict = job.create.__func__, job.to_dict
        restore, perform = job.restore, job.perform

        @callers.like(create)
        def new_create(cls, *args, **kwargs):  # type: ignore[no-untyped-def]
            made = create(cls, *args, **kwargs)
            _number(made)
            return made

        @callers.like(to_dict)
        def new_to_dict(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            told = to_dict(self, *args, **kwargs)
            if ATTRIBUTE in vars(self):
                told[FIELD] = vars(self)[ATTRIBUTE]
            return told

        @callers.like(restore)
        def new_restore(self, raw_data):  # type: ignore[no-untyped-def]
            result = restore(self, raw_data)
            text = raw_data.get(FIELD.encode(), raw_data.get(FIELD))
            if text is not None:
                setattr(self, ATTRIBUTE, text.decode() if isinstance(text, bytes) else text)
            return result

        @callers.like(perform)
        def new_perform(self):  # type: ignore[no-untyped-def]
            path, seed = _identity(self)
            # A work horse is a fork that runs one job; other workers and programs go on.
            unit = units.begin("RQ", path, seed=seed, aside=state.is_main())
            try:
                return perform(self)
            finally:
                units.end(unit)

        job.create = classmethod(new_create)
        job.to_dict, job.restore, job.perform = new_to_dict, new_restore, new_perform


engine = Rq()


def _number(job: "Any") -> None:
    from json import dumps

    seed = state.job_seed()
    if seed is not None:
        units.submitted("RQ", 1)
        path = numbering.next_path("rq", str(job.func_name))
        setattr(job, ATTRIBUTE, dumps({"path": path, "seed": seed}))


def _identity(job: "Any") -> "tuple[Path, int | None]":
    from json import loads

    path: Path = ("rq", "id", str(job.id))
    seed: int | None = None
    try:
        told = loads(vars(job)[ATTRIBUTE])
    except (KeyError, TypeError, ValueError, RecursionError):
        told = None  # nobody has told, or what has come is not ours
    path, seed = messages.path_and_seed(told) or (path, seed)
    left = getattr(job, "repeats_left", None)
    return (path if left is None else (*path, "left", left)), seed
