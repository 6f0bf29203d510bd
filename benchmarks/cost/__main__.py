"""Measure what determinism costs on this machine, and write it down with the machine's name."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.cost import arms as ways
from benchmarks.cost import measuring, plot, record, table
from benchmarks.cost.arms import ARMS, GROUPS, Arm
from benchmarks.cost.running import (
    Failed,
    Interpreters,
    execute,
    make_interpreters,
    packages,
    train,
)
from harness import interpreters

MODELS = ("resnet", "unet", "transformer", "lstm", "gnn", "embedding_bag", "attention", "ctc")
"""As in models.py, which is not imported here: it imports torch."""


def main() -> int:
    options = parse()
    try:
        if options.render:
            render(options.render)
            return 0
        # Now: nobody wants to hear of it after the first model.
        options.output.mkdir(parents=True, exist_ok=True)
        arms = ways.chosen(options.arms)
        with tempfile.TemporaryDirectory() as place:
            file = measure(options, arms, make_interpreters(Path(place), packages()))
    except KeyboardInterrupt:
        say("benchmarks.cost: interrupted")
        return 128 + signal.SIGINT
    except (Failed, record.Unreadable, ValueError) as error:
        say(f"benchmarks.cost: {error}")
        return 2
    except OSError as error:
        say(f"benchmarks.cost: {error.filename} cannot be written: {error.strerror}")
        return 2
    print(file.with_suffix(".md").read_text())
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--models", type=names(MODELS), default=list(MODELS), metavar="NAME,…")
    parser.add_argument("--arms", type=lambda text: text.split(","), default=list(GROUPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50, help="measured steps of a process")
    parser.add_argument("--warmup", type=int, default=10, help="steps before them")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: cuda where there is one"
    )
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's choice")
    default = interpreters.REPOSITORY / "docs/cost"
    parser.add_argument("--output", type=Path, default=default, metavar="DIRECTORY")
    parser.add_argument("--render", type=Path, metavar="FILE.json", help="only table and plot")
    options = parser.parse_args()
    if min(options.rounds, options.steps) < 1 or options.warmup < 0:
        parser.error("--rounds and --steps must be at least 1, --warmup at least 0")
    return options


def names(accepted: Sequence[str]) -> Any:
    def parsed(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in accepted:
                message = f"{name!r} is none of {', '.join(accepted)}"
                raise argparse.ArgumentTypeError(message)
        return given

    return parsed


def measure(options: argparse.Namespace, arms: Sequence[Arm], pythons: Interpreters) -> Path:
    """Measure and write, after each model; returns the JSON file."""
    device = options.device or default_device(pythons)
    given = ["--device", device, "--warmup", str(options.warmup), "--steps", str(options.steps)]
    if options.threads:
        given += ["--threads", str(options.threads)]
    probe = train(pythons, ARMS["none"], "lstm", *given, "--warmup", "0", "--steps", "1")
    described = describe(arms, pythons, device)
    runnable = [arm for arm in arms if not described[arm.name]["not_run"]]
    result: record.Result = {
        "machine": record.describe(probe, device),
        "settings": {
            **{"rounds": options.rounds, "warmup": options.warmup, "steps": options.steps},
            **{"threads": probe["threads"], "seed": int(ways.SEED)},
        },
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "arms": described,
        "models": {},
        "profiles": {},
        "startup": {},
    }
    file = record.place(options.output, result)
    for model in options.models:
        cells = measuring.measure(pythons, runnable, model, options.rounds, given, say)
        result["models"][model] = cells
        # None as well: it takes the place of an older one.
        result["profiles"][model] = measuring.profile(pythons, cells, model, given, say)
        record.write(file, result)
        render(file)
    seeding = [arm for arm in runnable if arm.lines]
    result["startup"] = measuring.startup(pythons, seeding, options.rounds, say)
    record.write(file, result)
    render(file)
    return file


def default_device(pythons: Interpreters) -> str:
    code = "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"
    return execute(pythons, ARMS["none"], ["-c", code]).stdout.split()[-1]


def describe(arms: Sequence[Arm], pythons: Interpreters, device: str) -> dict[str, Any]:
    """What the JSON says of each arm: what it is, and why it is not run where it is not."""
    described = {}
    for arm in arms:
        version, reason = None, None
        try:
            if arm.needs_cuda and device != "cuda":
                raise Failed("acts on CUDA only")
            version = try_lines(arm, pythons)
        except Failed as failure:
            reason = str(failure)
            say(f"{arm.name}: not run: {reason}")
        described[arm.name] = {
            **{"title": arm.title, "group": arm.group, "environment": arm.environment},
            **{"hooked": arm.hooked, "lines": arm.lines, "lines_of_code": arm.lines_of_code()},
            **{"package": arm.package, "version": version, "not_run": reason},
        }
    return described


def try_lines(arm: Arm, pythons: Interpreters) -> str | None:
    """The version of the package that an arm needs, if it needs one.

    Raises:
        Failed: it is not there, or the arm's lines fail with this torch.
    """
    if not arm.lines:
        return None
    version = None
    if arm.package:
        code = f"import importlib.metadata as m; print(m.version({arm.package!r}))"
        try:
            version = execute(pythons, arm, ["-c", code]).stdout.strip()
        except Failed:
            raise Failed(f"{arm.package} is not installed (tools/peers.sh)") from None
    execute(pythons, arm, ["-c", f"import torch\n{arm.lines}"])
    return version


def render(file: Path) -> None:
    """Write the table and the plot of a result beside it, and its row into the folder's README."""
    result = record.read(file)
    file.with_suffix(".md").write_text(table.text(result, file.stem))
    try:
        plot.draw(result, file.with_suffix(".svg"))
    except ModuleNotFoundError as error:
        say(f"no plot: {error}; later: python -m benchmarks.cost --render {file.name}")
    readme = file.with_name("README.md")
    if readme.exists():
        results = {each.stem: record.read(each) for each in file.parent.glob("*.json")}
        readme.write_text(table.with_index(readme.read_text(), results))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
