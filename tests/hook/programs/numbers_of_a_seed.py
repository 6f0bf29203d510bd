"""Print what a seed gives, as JSON: where it was drawn -> the numbers.

Argument: "torch" (main process, forks, loaders, generators of torch), "processes" (without torch,
spawned children too) or "cells" (an IPython shell with the extension).
"""

import json
import multiprocessing
import os
import random
import sys
import threading

import numpy


def draw() -> list[int]:
    """One number of each default generator that is here."""
    drawn = [random.getrandbits(32), int(numpy.random.randint(2**31))]
    if "torch" in sys.modules:
        drawn.append(int(sys.modules["torch"].randint(2**31 - 1, (1,))))
    return drawn


def raw(generator) -> int:
    """The next bits of a NumPy generator, without what a release makes of them."""
    return int(generator.bit_generator.random_raw() % 2**32)


def unseeded() -> list[int]:
    """One number of each generator that is made without a seed."""
    made = [raw(numpy.random.default_rng()), raw(numpy.random.default_rng())]
    legacy = numpy.random.RandomState()
    return [*made, int(legacy.randint(2**31)), random.Random().getrandbits(32)]


def in_thread() -> list[int]:
    found = []
    thread = threading.Thread(target=lambda: found.extend(unseeded()))
    thread.start()
    thread.join()
    return found


held = numpy.random.default_rng(), random.Random()


def in_child() -> list[int]:
    """What a child draws, from what it makes and from what it holds from before too."""
    return [*draw(), raw(held[0]), held[1].getrandbits(32), *unseeded()]


def send(pipe, function) -> None:
    pipe.send(function())


def nested() -> list[list[int]]:
    return [in_child(), by("fork", in_child)]


def by(method, function):
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=send, args=(there, function))
    process.start()
    answer = here.recv()
    process.join()
    return answer


def by_fork(function):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(function()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as file:
        return json.load(file)


def processes() -> dict:
    return {
        "main": draw(),
        "without a seed": unseeded(),
        "in a thread": in_thread(),
        "os.fork": [by_fork(in_child), by_fork(nested)],
        "fork": [by("fork", in_child), by("fork", nested)],
        "spawn": [by("spawn", in_child), by("spawn", nested)],
        "forkserver": by("forkserver", in_child),
        "main again": draw(),
    }


class Samples:
    """A dataset whose samples are draws; it holds a generator from before its workers."""

    def __init__(self) -> None:
        self.held = numpy.random.default_rng()

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> list[int]:
        return [*draw(), raw(self.held), *unseeded()]


def torch_too() -> dict:
    import torch

    import seed_init

    told = {"main": draw(), "without a seed": unseeded(), "torch.seed": torch.seed() % 2**32}
    told["generator"] = [
        int(torch.randint(2**31 - 1, (1,), generator=generator))
        for generator in (
            seed_init.generator(),
            seed_init.generator(),
            seed_init.generator(stream="data"),
        )
    ]
    told["os.fork"] = by_fork(in_child)
    told["fork"] = by("fork", in_child)
    loader = torch.utils.data.DataLoader(
        Samples(), batch_size=None, num_workers=2, collate_fn=list, shuffle=True
    )
    told["loader"] = [list(loader), list(loader)]
    told["reseed()"] = [seed_init.reseed(), draw(), unseeded(), by_fork(in_child)]
    told["reseed(99)"] = [seed_init.reseed(99), draw(), unseeded(), by_fork(in_child)]
    told["seeded with 5 by the program"] = [seeded_by_program(torch), draw()]
    return told


def seeded_by_program(torch) -> None:
    random.seed(5)
    numpy.random.seed(5)
    torch.manual_seed(5)


def cells() -> dict:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "seed_init.notebook")
    told = {}
    for name, code in (
        ("first", "drawn = [*draw(), *unseeded()]"),
        ("second", "drawn =  [*draw(), *unseeded()]"),
        ("first again", "drawn = [*draw(), *unseeded()]"),
        ("a child", "drawn = by_fork(in_child)"),
        ("%%seeded", "%%seeded\ndrawn = [*draw(), *unseeded(), *by_fork(in_child)]"),
        ("%%seeded 5", "%%seeded 5\ndrawn = [*draw(), *unseeded(), *by_fork(in_child)]"),
        ("after them", "drawn = [*draw(), *unseeded(), *by_fork(in_child)]"),
        ("%reseed", "%reseed\ndrawn = [*draw(), *unseeded(), *by_fork(in_child)]"),
        ("%reseed 9", "%reseed 9\ndrawn = [*draw(), *unseeded(), *by_fork(in_child)]"),
        ("after it", "drawn =   [*draw(), *unseeded()]"),
    ):
        shell.user_ns.update(draw=draw, unseeded=unseeded, by_fork=by_fork, in_child=in_child)
        shell.run_cell(code, store_history=True).raise_error()
        told[name] = shell.user_ns["drawn"]
    return told


if __name__ == "__main__":
    print(json.dumps({"torch": torch_too, "processes": processes, "cells": cells}[sys.argv[1]]()))
