"""Prints a number that SEED decides, and does what the words behind it say.

`fail SEED FILE`: fails with this SEED unless FILE is there. `wait SEED FILE`: waits with this SEED
to be ended, and writes FILE before that, unless FILE is there. `tell NAME`: prints a variable.
"""

import os
import random
import sys
import time
from pathlib import Path

words = iter(sys.argv[1:])
for word in words:
    if word == "tell":
        name = next(words)
        print(f"{name}={os.environ.get(name)}")
        continue
    seed, file = next(words), Path(next(words))
    if seed != os.environ["SEED"]:
        continue
    if word == "fail" and not file.exists():
        sys.exit("no luck today")
    if word == "wait" and not file.exists():
        file.write_text(str(os.getpid()))
        time.sleep(600)
print("value:", random.random(), flush=True)
