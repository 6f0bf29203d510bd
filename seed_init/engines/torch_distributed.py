# SPDX-License-Identifier: Apache-2.0
"""torch.distributed: where a rank is certain, and where all ranks can compare what they were given.

Some launchers tell a rank too late for the start of Python: Lightning's `ddp` starts rank 0 as the
user did, and `torch.multiprocessing.spawn` passes the rank as an argument. In `init_process_group`
each process says its rank. There SEED_INIT_RANKS is applied, where that has not been done, and the
SEED of all ranks is compared: a SEED that was lost on the way to one machine shows in no number.

Nor do the agents of torchrun count restarts alike: if an agent sees the others wait before its own
workers have failed, it restarts these without counting (`_invoke_run` in
torch/distributed/elastic/agent/server/api.py). So the ranks agree on the latest count.
"""

import os
import sys
import time

from seed_init.engines import Engine
from seed_init.hook import callers, debug, say, startup, state
from seed_init.hook.settings import ELASTIC, restarts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

LIMIT = 3.0
"""Seconds: how long a rank waits for what the others say. One without the hook says nothing."""

KEYS = "seed_init"
"""Begins the name of each key in the store of the process group."""

_module: "Any" = None  # torch.distributed.distributed_c10d


class TorchDistributed(Engine):
    """Its units of work are the ranks, to which SEED_INIT_RANKS applies."""

    name = "torch.distributed"
    has_units = False
    otherwise = "ranks are known from the environment only"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach`."""
        global _module
        original = module.init_process_group
        if not all(map(callable, (original, module.get_rank, module._get_default_store))):
            raise TypeError("init_process_group is no function")
        _module = module

        @callers.like(original)
        def init_process_group(*arguments: "Any", **keywords: "Any") -> "Any":
            result = original(*arguments, **keywords)
            startup.guarded("engines.torch_distributed", "joined")
            return result

        module.init_process_group = init_process_group  # type: ignore[attr-defined]


def joined() -> None:
    """This process has joined the default group: compare SEED, take the streams of its rank.

    Raises:
        Refusal: the ranks have different seeds.
    """
    rank, size = _module.get_rank(), _module.get_world_size()
    if size < 2 or state.settings.is_off:
        return
    different, attempts = "", (0, 0)
    try:
        store = _module._get_default_store()
        # A store may be used for one group after another.
        keys = f"{KEYS}/{store.add(f'{KEYS}/{rank}', 1)}"
        _tell_attempt(store, keys)
        different = _compare(store, keys, rank, size)
        attempts = _tell_attempt(store, keys)
    except Exception as error:  # a store without these functions, or one that is gone
        debug(f"the SEEDs of the ranks are not compared: {error}")
    if different:
        from seed_init.hook.refusals import Refusal

        raise Refusal(
            f"{different}; give all ranks one SEED (SEED_INIT_RANKS=distinct gives each its "
            "own streams), or set SEED_INIT=0 to run without seeding"
        )
    if attempts[0] != attempts[1]:
        _take_attempt(max(attempts), rank, size)
    _take_rank(rank, size)


# --- the seeds ---


def _compare(store: "Any", keys: str, rank: int, size: int) -> str:
    """What is different, in words; "" if nothing is, or nobody can tell.

    The first rank says its SEED, each other one compares its own, and the last one tells all. Each
    does a handful of operations, however many ranks there are.

    Args:
        store: of the default group.
        keys: begins the name of each key of this group.
        rank: of this process.
        size: the number of ranks.
    """
    told = _compare_with_first(store, keys, rank)
    try:
        if told:
            store.set(f"{keys}/different", told)
            store.add(f"{keys}/differences", 1)
        if store.add(f"{keys}/ranks", 1) == size:
            is_different = store.add(f"{keys}/differences", 0) > 0
            store.set(f"{keys}/all", store.get(f"{keys}/different") if is_different else "-")
        answer = _answer(store, keys, rank, size)
    except Exception as error:
        debug(f"not all ranks have told their SEED: {error}")
        return told
    return told or answer


def _compare_with_first(store: "Any", keys: str, rank: int) -> str:
    """What is different between this rank and the first that came, in words; "" for nothing."""
    seed, shown = state.settings.values.get("SEED", "none"), _shown()
    if state.reseeded is not None:
        return ""  # the program's own seed
    is_drawn = state.settings.origins.get("SEED") == "SEED=random"
    mine = f"{seed}\nrank {rank} has {shown}"
    first = store.compare_set(f"{keys}/{'drawn' if is_drawn else 'given'}", "", mine).decode()
    its, _, told = first.partition("\n")
    if its == seed:
        return ""
    told = f"{told}, and rank {rank} has {shown}"
    if is_drawn:  # no number was asked for
        say(f"{told}: to replay this run, draw once and give all ranks the same SEED")
        return ""
    return told


def _answer(store: "Any", keys: str, rank: int, size: int) -> str:
    """What is different between the ranks, as the last one that came says it."""
    end, pause = time.monotonic() + LIMIT, 0.001
    # Not store.wait(), whose timeout writes two lines of its own to stderr.
    while not store.check([f"{keys}/all"]):
        if time.monotonic() > end:
            ranks = store.add(f"{keys}/ranks", 0)
            say(
                f"{ranks} of {size} ranks have told their SEED within {LIMIT:.0f} s; "
                "others may have none, or not the hook"
            )
            return ""
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    answer: str = store.get(f"{keys}/all").decode()
    if answer == "-":
        return ""
    _let_others_read(store, f"{keys}/read", rank, size)
    return answer


def _shown() -> str:
    seed = state.settings.values.get("SEED")
    return f"SEED={seed} ({state.settings.origins['SEED']})" if seed else "no SEED"


def _let_others_read(store: "Any", key: str, rank: int, size: int) -> None:
    """Before the end of rank 0, in which the store mostly is: let the others read from it."""
    try:
        read = store.add(key, 1)
        end = time.monotonic() + LIMIT
        while rank == 0 and read < size and time.monotonic() < end:
            time.sleep(0.05)
            read = store.add(key, 0)
        time.sleep(0.2 if rank == 0 else 0)  # for the last answer
    except Exception as error:
        debug(f"the store has gone: {error}")


# --- the attempt of torchrun ---


def _tell_attempt(store: "Any", keys: str) -> tuple[int, int]:
    """Tell how often torchrun has restarted this rank; the least and the largest number so far."""
    mine = restarts(ELASTIC)
    if mine is None:
        return 0, 0
    return _extreme(store, f"{keys}/least", mine, min), _extreme(store, f"{keys}/most", mine, max)


def _extreme(store: "Any", key: str, mine: int, of: "Callable[[int, int], int]") -> int:
    """Put a number under a key, unless one that is more extreme is there; the one that is there."""
    held = ""
    while True:
        held = store.compare_set(key, held, str(mine)).decode()
        if of(int(held), mine) == int(held):
            return int(held)


def _take_attempt(attempt: int, rank: int, size: int) -> None:
    """Start every stream over in the attempt that the ranks have agreed on.

    Those that count so already start over, too: the ranks are to draw alike from here on. Children
    of this process, which read the count in the environment, belong to the attempt as well.
    """
    os.environ[ELASTIC] = str(attempt)
    del state.settings  # they are read again
    if state.settings.restart and state.job_seed() is not None:
        from seed_init.hook import reseeding, rounds

        rounds.move(state.path, reseeding.by_program())
        say(f"rank {rank} of {size}: the streams of restart {attempt}, which not all ranks counted")


# --- the streams ---


def _take_rank(rank: int, size: int) -> None:
    """Apply SEED_INIT_RANKS to a process that did not know its rank when it began.

    A worker of the program's has streams of its own in any case. Nobody has asked to make them
    equal unless somebody has given SEED_INIT_RANKS=same.
    """
    units = sys.modules.get("seed_init.hook.units")
    if state.job_seed() is None or (units is not None and units.current() is not None):
        return  # a unit of work has the streams that its engine says
    if state.rank() is None:
        state.joined = rank, str(size)
    policy, path, here = state.settings.ranks, state.root(), state.path
    if policy == "distinct":
        is_done = here[: len(path)] == path
    else:
        is_done = here == path or state.settings.origins["SEED_INIT_RANKS"] == "built-in"
    if not is_done:
        from seed_init.hook import reseeding, rounds

        rounds.move(path, reseeding.by_program())
        say(f"rank {rank} of {size} ({policy} streams)")


engine = TorchDistributed()
