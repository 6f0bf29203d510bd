"""The arms: what a model is trained under. Levels and switches of seed_init, and its peers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seed_init.proof.cost.choices import REFERENCE, SWITCHES, Choice

SEED = "7"
BASE = REFERENCE
"""The arm that the others are compared with."""

UNSEEDED = {"SEED": "off", "DETERMINISM": "off"}
"""The hook then seeds nothing and sets no flag: what times the steps is all that it brings."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: on the command line and in the JSON.
        title: in the tables.
        group: "levels", "switches" or "peers".
        environment: what is set for it.
        needs_cuda: the switch does nothing on the CPU.
        lines: what its documentation says to put at the top of a program.
        package: the distribution that the lines come from, if any.
    """

    name: str
    title: str
    group: str
    environment: dict[str, str] = field(default_factory=lambda: dict(UNSEEDED))
    needs_cuda: bool = False
    lines: str = ""
    package: str = ""

    @property
    def hooked(self) -> bool:
        """Whether the arm is one of seed_init's own, which starts with the hook."""
        return self.environment != UNSEEDED

    @property
    def choice(self) -> Choice:
        """The arm as `seed-init cost` measures it."""
        return Choice(self.name, self.environment, self.needs_cuda)

    def to_json(self, version: str | None, not_run: str | None) -> dict[str, Any]:
        """What a result says of the arm.

        Args:
            version: of the package that the lines come from, if any.
            not_run: why the arm is not run here; None where it is.
        """
        return {
            **{"title": self.title, "group": self.group, "environment": self.environment},
            **{"lines": self.lines, "lines_of_code": self.lines_of_code()},
            **{"package": self.package, "version": version, "not_run": not_run},
        }

    def lines_of_code(self) -> int:
        """How many lines a user has to add. `import torch` is there already."""
        return sum(bool(line) and line != "import torch" for line in self.lines.splitlines())


def level(name: str, determinism: str, title: str) -> Arm:
    return Arm(name, title, "levels", {"SEED": SEED, "DETERMINISM": determinism})


def switch(choice: Choice) -> Arm:
    """A switch as `seed-init cost` measures it."""
    (given,) = (f"{n}={v}" for n, v in choice.variables.items() if n != "DETERMINISM")
    environment = {"SEED": SEED, **choice.variables}
    title = f"`{given}` over `{choice.over}`"
    name = f"{choice.over}+{given}"
    return Arm(name, title, "switches", environment, needs_cuda=choice.needs_cuda)


SMALL_WORKSPACE = Choice(
    "warn with :16:8", {"DETERMINISM": "warn", "CUBLAS_WORKSPACE_CONFIG": ":16:8"}, True, "warn"
)
"""Whether `warn` would be cheaper with the other value that cuBLAS is deterministic with."""


def peer(name: str, title: str, package: str, lines: str) -> Arm:
    return Arm(name, title, "peers", lines=lines, package=package)


RECIPE = """\
import os
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
import random
import numpy
import torch
random.seed(7)
numpy.random.seed(7)
torch.manual_seed(7)
torch.cuda.manual_seed_all(7)
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False
torch.use_deterministic_algorithms(True, warn_only=True)
"""

LIGHTNING = """\
import lightning
lightning.seed_everything(7, workers=True)
lightning.Trainer(deterministic="warn", logger=False, enable_checkpointing=False)
"""

HUGGING_FACE = """\
from transformers import enable_full_determinism
enable_full_determinism(7, warn_only=True)
"""

MONAI = """\
from monai.utils import set_determinism
set_determinism(7, use_deterministic_algorithms=True)
"""

COMPOSER = """\
from composer.utils import reproducibility
reproducibility.configure_deterministic_mode()
reproducibility.seed_all(7)
"""

CLEARML = """\
import torch
from clearml.utilities.seed import make_deterministic
make_deterministic(7, cudnn_deterministic=True)
"""

SEEDBANK = """\
import torch
import seedbank
seedbank.initialize(7)
"""

ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("none", "no seed", "levels"),
        level("off", "off", "`off`"),
        level("fast", "fast", "`fast`"),
        level("warn", "warn", "`warn`"),
        level("strict", "strict", "`strict`"),
        level("portable", "portable", "`portable`"),
        *map(switch, SWITCHES),
        switch(SMALL_WORKSPACE),
        peer("recipe", "usual recipe", "", RECIPE),
        peer("lightning", 'Lightning `Trainer(deterministic="warn")`', "lightning", LIGHTNING),
        peer("hf", "HF `enable_full_determinism(warn_only=True)`", "transformers", HUGGING_FACE),
        peer("monai", "MONAI `set_determinism`", "monai", MONAI),
        peer("composer", "Composer `configure_deterministic_mode`", "mosaicml", COMPOSER),
        peer("clearml", "ClearML `make_deterministic`", "clearml", CLEARML),
        peer("seedbank", "seedbank `initialize`", "seedbank", SEEDBANK),
    )
}
GROUPS = ("levels", "switches", "peers")


def chosen(names: Sequence[str]) -> list[Arm]:
    """The arms of these names or groups, in the order of the table, and the base.

    Raises:
        ValueError: a name is neither an arm's nor a group's.
    """
    unknown = [name for name in names if name not in ARMS and name not in GROUPS]
    if unknown:
        accepted = ", ".join((*GROUPS, *ARMS))
        raise ValueError(f"--arms {unknown[0]}: there is no such arm or group; take of: {accepted}")
    wanted = {BASE, *names}
    return [arm for arm in ARMS.values() if arm.name in wanted or arm.group in wanted]
