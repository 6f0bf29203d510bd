"""Draw from the streams of 1,000 children and print as JSON how far apart they are.

usage: streams_apart.py LIBRARY KIND

KIND is `derived`, the streams that children get, or one that must be found out: `repeated`, in
which stream 500 + n is stream n again, or `shifted`, in which it is stream n from its second
draw on.
"""

import json
import random
import sys

import numpy

from seed_init.hook.streams import derive

STREAMS, DRAWS = 1_000, 10_000


def draw(library, seed, start):
    """Numbers `start` to `start` + DRAWS of the stream: doubles of 53 bits in every library."""
    count = start + DRAWS
    if library == "random":
        random.seed(seed)
        numbers = numpy.array([random.random() for _ in range(count)])
    elif library == "numpy":
        numpy.random.seed(seed)
        numbers = numpy.random.random_sample(count)
    else:
        import torch  # here, because the others need not wait for it

        torch.manual_seed(seed)
        numbers = torch.rand(count, dtype=torch.float64).numpy()
    return numbers[start:]


def main():
    library, kind = sys.argv[1:]
    period = STREAMS if kind == "derived" else STREAMS // 2
    seeds = [derive(7, ("process", 1 + n % period)) for n in range(STREAMS)]
    starts = [int(kind == "shifted" and n >= period) for n in range(STREAMS)]
    draws = numpy.stack([draw(library, *one) for one in zip(seeds, starts)])

    beginnings = {tuple(stream) for stream in draws[:, :8].tolist()}
    correlations = numpy.corrcoef(draws)[numpy.triu_indices(STREAMS, 1)]
    numbers = numpy.sort(draws, axis=None)
    told = {
        "seeds": len({seed & 0xFFFFFFFF for seed in seeds}),
        "beginnings": len(beginnings),
        "largest": float(abs(correlations).max()),
        "rms": float((correlations**2).mean() ** 0.5),
        "common": int((numbers[1:] == numbers[:-1]).sum()),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
