"""Measure what determinism costs on this machine, and write it down with the machine's name."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.cost import arms as ways
from benchmarks.cost import measuring, picture, record, table
from benchmarks.cost.arms import GROUPS, Arm
from benchmarks.cost.pythons import Failed, Interpreters, execute, make_interpreters, packages
from harness.repository import REPOSITORY
from seed_init.proof.cost.measuring import LEAST_STEPS
from seed_init.proof.running.signals import ending_on_signals

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
        with ending_on_signals(), tempfile.TemporaryDirectory() as place:
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
    default = REPOSITORY / "docs/cost"
    parser.add_argument("--output", type=Path, default=default, metavar="DIRECTORY")
    parser.add_argument("--render", type=Path, metavar="FILE.json", help="only table and picture")
    options = parser.parse_args()
    if options.steps < LEAST_STEPS or options.rounds < 1 or options.warmup < 1:
        parser.error(f"--steps must be at least {LEAST_STEPS}, --rounds and --warmup at least 1")
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


PROBE = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads(),
    "cudnn": torch.backends.cudnn.version(), "gpu": torch.cuda.get_device_name() if cuda else None,
}))
"""


def measure(options: argparse.Namespace, arms: Sequence[Arm], pythons: Interpreters) -> Path:
    """Measure and write, after each model; returns the JSON file."""
    here = json.loads(execute(pythons, PROBE))
    device = options.device or ("cuda" if here["gpu"] else "cpu")
    if device == "cpu":
        here["gpu"] = None
    given = ["--device", device]
    if options.threads:
        given += ["--threads", str(options.threads)]
    described = describe(arms, pythons, device)
    runnable = [arm for arm in arms if not described[arm.name]["not_run"]]
    result: record.Result = {
        "machine": record.describe(here, device),
        "settings": {
            **{"rounds": options.rounds, "warmup": options.warmup, "steps": options.steps},
            **{"threads": options.threads or here["threads"], "seed": int(ways.SEED)},
        },
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "arms": described,
        "models": {},
        "startup": {},
    }
    file = record.place(options.output, result)
    steps = (options.warmup, options.steps)
    for model in options.models:
        words = [model, *given]
        found = measuring.measure(pythons, runnable, words, steps, options.rounds, say)
        result["models"][model] = found
        record.write(file, result)
        render(file)
    peers = [arm for arm in runnable if arm.lines]
    result["startup"] = measuring.startup(pythons, peers, options.rounds, say)
    record.write(file, result)
    render(file)
    return file


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
        described[arm.name] = arm.to_json(version, reason)
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
            version = execute(pythons, code).strip()
        except Failed:
            raise Failed(f"{arm.package} is not installed (tools/peers.sh)") from None
    execute(pythons, f"import torch\n{arm.lines}")
    return version


def render(file: Path) -> None:
    """Write table and picture of a result beside it, and its row into the folder's README."""
    result = record.read(file)
    file.with_suffix(".md").write_text(table.text(result, file.stem))
    file.with_suffix(".svg").write_text(picture.draw(result))
    readme = file.with_name("README.md")
    if readme.exists():
        results = {each.stem: record.read(each) for each in file.parent.glob("*.json")}
        readme.write_text(table.with_index(readme.read_text(), results))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
