"""Run items of joblib, and print what each has drawn: joblib_items.py WORKERS BACKEND BATCH."""

import json
import random
import sys

import numpy
from joblib import Memory, Parallel, delayed


def draw(*_: object) -> list[float]:
    return [random.random(), numpy.random.rand(), numpy.random.default_rng().random()]


def draw_inside(number: int) -> list[list[float]]:
    """An item that has items of its own, which run one after the other."""
    return [draw(), *Parallel(n_jobs=1)(delayed(draw)(each) for each in range(2))]


def main() -> None:
    backend = sys.argv[2]
    batch = sys.argv[3] if sys.argv[3] == "auto" else int(sys.argv[3])
    run = Parallel(n_jobs=int(sys.argv[1]), backend=backend, batch_size=batch)
    cached = Memory(None, verbose=0).cache(draw)
    told = {
        "first": run(delayed(draw)(number) for number in range(5)),
        "second": run([delayed(draw)(number) for number in range(5)]),
        "cached": run(delayed(cached)(number) for number in range(3)),
        "inside": run(delayed(draw_inside)(number) for number in range(3)),
    }
    if backend != "multiprocessing":  # which cannot pickle it
        told["lambda"] = run(delayed(lambda number: draw(number))(number) for number in range(3))
    told["main"] = [draw()]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
