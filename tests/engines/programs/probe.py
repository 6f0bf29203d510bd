"""One JSON line: the arguments, the seed, the path, and a draw."""

import json
import random
import sys

import seed_init

path = seed_init.status()["path"]
sys.stdout.write(json.dumps([*sys.argv[1:], seed_init.seed(), path, random.random()]) + "\n")
