"""The start of every Python process: `python -c pass` with the hook and without.

Targets: active 1.05, idle 1.02.
"""

import tempfile
from pathlib import Path

from benchmarks import interpreters
from benchmarks.interleaved import Arm, measure, report

ROUNDS = 500


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        bare = interpreters.copy_base(Path(place, "bare"))
        hooked = interpreters.link_copy(bare, Path(place, "hooked"))
        interpreters.install_hook(hooked)
        # A venv has no sitecustomize but a .pth file, and an image a defaults file.
        venv = interpreters.link_copy(bare, Path(place, "with-defaults"))
        interpreters.install_hook(venv)
        defaults = venv.parent.parent / "etc/seed_init/defaults"
        defaults.parent.mkdir(parents=True)
        defaults.write_text((interpreters.REPOSITORY / "image/defaults").read_text())

        def arm(executable: Path, **variables: str) -> Arm:
            return Arm(
                (str(executable), "-c", "pass"), interpreters.environment(executable, **variables)
            )

        arms = {
            "no hook": arm(bare),
            "idle hook (no SEED)": arm(hooked),
            "SEED=7": arm(hooked, SEED="7"),
            "defaults file (as in image)": arm(venv),
            "SEED_INIT=0": arm(hooked, SEED_INIT="0"),
        }
        report("python -c pass", measure(arms, ROUNDS))


if __name__ == "__main__":
    main()
