"""Run items of pools, and print what each has drawn: python pools.py WORKERS CHUNKSIZE METHOD."""

import json
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any


def draw(*_: object) -> list[float]:
    return [random.random(), random.Random().random()]


def draw_twice(_: object) -> list[list[float]]:
    """An item that leaves something behind, and has items of its own."""
    random.random()
    return [draw(), *map(draw, "1")]


def main() -> None:
    workers, chunk, method = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    package = import_module(sys.argv[4] if len(sys.argv) > 4 else "multiprocessing")
    context = package.get_context(method)
    told: dict[str, Any] = {}
    with context.Pool(workers) as pool:
        told["map"] = pool.map(draw, range(5), chunk)
        told["again"] = pool.map(draw_twice, range(2), chunk)
        told["starmap"] = pool.starmap(draw, zip(range(3), range(3)), chunk)
        told["imap"] = list(pool.imap(draw, range(5), chunk))
        told["imap_unordered"] = sorted(pool.imap_unordered(draw, range(5), chunk))
        told["apply"] = [pool.apply(draw), pool.apply(draw, (1,))]
        submitted = [pool.apply_async(draw), pool.map_async(draw, range(3), chunk)]
        submitted.append(pool.starmap_async(draw, [(1, 2), (3, 4)], chunk))
        told["async"] = [each.get() for each in submitted]
    if package.__name__ == "multiprocessing":
        with ProcessPoolExecutor(workers, mp_context=context) as executor:
            futures = [executor.submit(draw, number) for number in range(3)]
            told["submit"] = [future.result() for future in futures]
            told["executor's map"] = list(executor.map(draw, range(5), "abcdef", chunksize=chunk))
    told["main"] = draw()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
