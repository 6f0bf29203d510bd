"""Print as JSON what generators that are made without a seed draw, by the way of making them."""

import json
import random

import numpy
from numpy.random import MT19937, PCG64, PCG64DXSM, SFC64, Generator, Philox, RandomState

numpy_global, python_global = numpy.random.mtrand._rand, random


class Dice(random.Random):
    """A generator of the user's own."""

    def __init__(self, sides):
        super().__init__()
        self.sides = sides


def of(bit_generator):
    return Generator(bit_generator).random()


def after(seed, draw):
    seed()
    return draw()


WAYS = {
    "default_rng()": lambda: numpy.random.default_rng().random(),
    "RandomState()": lambda: RandomState().rand(),
    "SeedSequence()": lambda: of(PCG64(numpy.random.SeedSequence())),
    "a child of SeedSequence()": lambda: of(PCG64(numpy.random.SeedSequence().spawn(1)[0])),
    "MT19937()": lambda: of(MT19937()),
    "PCG64()": lambda: of(PCG64()),
    "PCG64DXSM()": lambda: of(PCG64DXSM()),
    "Philox()": lambda: of(Philox()),
    "SFC64()": lambda: of(SFC64()),
    "numpy.random.seed()": lambda: after(numpy.random.seed, numpy.random.rand),
    "random.Random()": lambda: random.Random().random(),
    "a subclass of random.Random": lambda: Dice(6).random(),
    "random.seed()": lambda: after(random.seed, random.random),
}

print(json.dumps({way: [draw(), draw()] for way, draw in WAYS.items()}))
