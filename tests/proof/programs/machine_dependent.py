"""Print what depends on the machine.

machine_dependent.py product    a matrix product, whose sums depend on threads and instructions
machine_dependent.py count      how many CPUs Python counts
machine_dependent.py fails      nothing, and is refused as by the hook where there is one CPU
machine_dependent.py child      what a Python prints that is started by exec
"""

import os
import random
import subprocess
import sys

what = sys.argv[1]
print(random.random())
if what == "product":
    import numpy as np

    matrix = np.random.rand(600, 600).astype(np.float32)
    print((matrix @ matrix).tobytes().hex()[:64])
    # Each thread adds up a part (OpenBLAS, kernel/x86_64/sdot.c).
    vector = matrix.ravel()
    print([float(vector[:length] @ vector[:length]).hex() for length in (360_000, 300_001)])
elif what == "count":
    print(os.cpu_count())
elif what == "fails" and os.cpu_count() == 1:
    print("seed_init: one CPU is not accepted", file=sys.stderr)
    sys.exit(78)
elif what == "child":
    subprocess.run([sys.executable, "-c", "import random; print(random.random())"], check=True)
