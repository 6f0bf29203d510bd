"""The start of every Python process: `python -c pass` with the hook and without.

Targets: active 1.05, idle 1.02, in a base interpreter and in a virtual environment alike.
"""

import importlib.util
import py_compile
import tempfile
from pathlib import Path

from benchmarks.interleaved import Arm, measure, report
from harness import interpreters
from harness.repository import REPOSITORY

ROUNDS = 500


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        bare = interpreters.copy_base(Path(place, "bare"))
        hooked = interpreters.link_copy(bare, Path(place, "hooked"))
        interpreters.install_hook(hooked)
        as_in_image = interpreters.link_copy(hooked, Path(place, "as-in-image"))
        defaults = Path(place, "as-in-image/etc/seed_init/defaults")
        defaults.parent.mkdir(parents=True)
        defaults.write_text((REPOSITORY / "image/defaults").read_text())
        no_pth = interpreters.link_copy(hooked, Path(place, "no-pth"))
        next(Path(place, "no-pth").rglob("seed_init.pth")).unlink()
        two_files = interpreters.link_copy(hooked, Path(place, "two-files"))
        carry_nothing(Path(place, "two-files"))

        def arm(executable: Path, base: Path | None = None, **variables: str) -> Arm:
            environment = interpreters.environment(base or executable, **variables)
            return Arm((str(executable), "-c", "pass"), environment)

        arms = {
            "no hook": arm(bare),
            "idle hook (no SEED)": arm(hooked),
            "SEED=7": arm(hooked, SEED="7"),
            "defaults file (as in image)": arm(as_in_image),
            "SEED_INIT=0": arm(hooked, SEED_INIT="0"),
            "SEED=7, two files": arm(two_files, SEED="7"),
            "idle, without the .pth line": arm(no_pth),
            "no hook, PYTHONPATH set": arm(bare, PYTHONPATH="/nowhere"),
            "SEED=7, PYTHONPATH set": arm(hooked, SEED="7", PYTHONPATH="/nowhere"),
        }
        report("python -c pass", measure(arms, ROUNDS))

        without = interpreters.make_venv(bare, Path(place, "venv"))
        own_hook = interpreters.make_venv(bare, Path(place, "venv-hooked"))
        interpreters.install_hook(own_hook, base=bare)
        arms = {
            "no hook": arm(without, base=bare),
            "idle hook (no SEED)": arm(own_hook, base=bare),
            "SEED=7": arm(own_hook, base=bare, SEED="7"),
        }
        report("python -c pass in a virtual environment", measure(arms, ROUNDS))


def carry_nothing(prefix: Path) -> None:
    """Compile the sitecustomize of one copy without the code of startup.py in it."""
    source = next(prefix.glob("lib/python3*/sitecustomize.py"))
    compiled = Path(importlib.util.cache_from_source(str(source)))
    compiled.unlink()  # not written through: the copies share files
    py_compile.compile(
        str(source),
        cfile=str(compiled),
        optimize=2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


if __name__ == "__main__":
    main()
