"""Print whether `random` was seeded with 7 before the first line of this."""

import random

drawn = random.random()
random.seed(7)
print("seeded" if drawn == random.random() else "unseeded")
