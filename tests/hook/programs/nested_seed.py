"""Print SEED as this program, its child and its grandchild see it; all import random."""

import os
import random  # noqa: F401
import subprocess
import sys

print(os.environ["SEED"], flush=True)
depth = int(sys.argv[1]) if sys.argv[1:] else 0
if depth < 2:
    subprocess.run([sys.executable, __file__, str(depth + 1)], check=True)
