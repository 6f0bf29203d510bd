"""Print something that one perturbation changes, and a number that none does.

perturbed.py NAME
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path


def siblings() -> int:
    """What runs beside this process's keeper, started by the same one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[entry.name] = stat[1]
    return list(parents.values()).count(parents[str(os.getppid())]) - 1


def hours() -> int:
    """How far the clock is from the one of the file system, which nothing can change here."""
    now = Path(tempfile.gettempdir(), "now")
    now.touch()
    return round((time.time() - now.stat().st_mtime) / 3600)


def both() -> bool:
    """True where the hash seed and the temporary directory are changed together."""
    return os.environ["PYTHONHASHSEED"] != "0" and "elsewhere" in tempfile.gettempdir()


SENSITIVE = {
    "address layout": lambda: id(object()),
    "hash seed": lambda: list({"a", "b", "c", "d", "e"}),
    "listing order": lambda: [entry.name for entry in Path("data").iterdir()],
    "CPU load": siblings,
    "temporary directory": tempfile.gettempdir,
    "start time": hours,
    "several perturbations together": both,
}

print(random.random())
print(SENSITIVE[sys.argv[1]]())
