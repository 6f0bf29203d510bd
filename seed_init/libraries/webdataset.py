# SPDX-License-Identifier: Apache-2.0
"""WebDataset, whose shuffling is seeded from the clock, the process's number and the system."""

import sys

from seed_init.hook import callers, unseeded
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_watching = False


def _entropy(what: str) -> int | None:
    # By the module that iterates, not by the loader's and the pipeline's, which come between.
    frame = callers.caller("webdataset", "torch")
    return unseeded.entropy("webdataset", what, frame)


class WebDataset(Library):
    """The generators that WebDataset makes for each pass, for want of a default one."""

    def watch(self) -> None:
        """Have each shuffle, and each choice of shards, that has no seed ask us."""
        global _watching
        if _watching:
            return
        modules: Any = sys.modules
        filters, shardlists = modules["webdataset.filters"], modules["webdataset.shardlists"]
        utils = modules["webdataset.utils"]
        shuffle, lists, make_seed = filters._shuffle, shardlists.SimpleShardList, utils.make_seed
        make_list = lists.__init__
        names = shuffle.__code__.co_varnames[1 : shuffle.__code__.co_argcount]

        @callers.like(shuffle)
        def _shuffle(data: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
            bound = dict(zip(names, arguments), **keywords)
            if bound.get("rng") is None and bound.get("seed") is None:
                value = _entropy("webdataset.shuffle()")
                if value is not None:
                    return shuffle(data, **{**bound, "rng": modules["random"].Random(value)})
            return shuffle(data, *arguments, **keywords)

        @callers.like(make_seed)
        def seed_of_shards(*arguments: "Any") -> "Any":
            # ResampledShards puts the process's number, the time and 4 random bytes last.
            if arguments and isinstance(arguments[-1], bytes):
                value = _entropy("webdataset.ResampledShards()")
                if value is not None:
                    return make_seed(*arguments[:-3], value)
            return make_seed(*arguments)

        @callers.like(make_list)
        def __init__(self: "Any", urls: "Any", seed: "Any" = None) -> None:
            value = _entropy("webdataset.SimpleShardList(seed=True)") if seed is True else None
            make_list(self, urls, seed if value is None else value)

        filters._shuffle = filters.shuffle.f = _shuffle
        utils.make_seed = seed_of_shards
        lists.__init__ = __init__
        _watching = True


library = WebDataset()
