"""Write arrays into archives with a time in them.

    verified_arrays.py [changed]

With `changed` one of the arrays is another one in each run.
"""

import io
import os
import sys
import time
import zipfile

import numpy as np

arrays = {"weight": np.random.rand(3), "bias": np.arange(2)}
if sys.argv[1:] == ["changed"]:
    arrays["bias"] = np.frombuffer(os.urandom(16), np.int64)
date = time.gmtime(1e9 + time.monotonic_ns() % 10**9)[:6]
with zipfile.ZipFile("arrays.npz", "w") as archive:
    for name, array in arrays.items():
        content = io.BytesIO()
        np.save(content, array)
        archive.writestr(zipfile.ZipInfo(f"{name}.npy", date), content.getvalue())
