"""Ask a GPU what only a GPU can tell, most valuable first, and write the answers down."""

import argparse
import json
import os
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.cost import record
from benchmarks.gpu import evidence, rehearsing, scheduling
from benchmarks.gpu.checks import CHECKS, Check
from benchmarks.gpu.judging import FAIL, NOT_RUN
from benchmarks.gpu.room import Failed, Room, interpreter
from seed_init.cli.gpu import asking, judging

SECONDS = 450.0
"""Of a run: what does not fit is named. Eight minutes are 480 s, and writing takes some."""


def main() -> int:
    options = parse()
    # As Ctrl-C: what was started runs in sessions of its own, and would stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if options.render:
            for file in sorted(options.out.glob("*.json")):
                if record.read(file).get("checks"):
                    evidence.render(file)
            print(f"wrote {evidence.publish(options.out)}")
            return 0
        if not options.rehearse:
            need_gpu()
        with tempfile.TemporaryDirectory(prefix="seed-init-gpu-") as place:
            return measure(options, Path(place))
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + signal.SIGINT
    except (Failed, record.Unreadable) as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename} cannot be written: {error.strerror}")
        return 2


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for the whole run")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(os.environ.get("GPU_OUT") or evidence.COSTS),
        metavar="DIRECTORY",
        help="for JSON, tables, plot and log instead of docs/cost and docs/gpu.md (GPU_OUT)",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="only checks whose name begins so; can be given again",
    )
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="on a CUDA runtime that computes nothing; writes into a temporary directory or --out",
    )
    parser.add_argument(
        "--render", action="store_true", help="only tables and plots, from the JSON files"
    )
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("--seconds must be more than 0")
    options.checks = chosen(options.only)
    if not options.checks:
        names = ", ".join(check.name for check in CHECKS)
        given = " ".join(options.only)
        parser.error(f"--only {given}: no check begins like that; take of: {names}")
    if options.rehearse and options.out.resolve() == evidence.COSTS:
        options.out = Path(tempfile.mkdtemp(prefix="seed-init-gpu-rehearsal-"))
    return options


def chosen(only: list[str]) -> list[Check]:
    return [check for check in CHECKS if check.name.startswith(tuple(only or [""]))]


def need_gpu() -> None:
    """Find a CUDA device that torch can use.

    Raises:
        Failed: there is none, and why.
    """
    answer = asking.ask()
    if answer.kind != "cuda" or not (answer.build or {}).get("cuda"):
        other = "ROCm" if (answer.build or {}).get("hip") else answer.kind
        why = judging.judge(answer)[1] if answer.kind is None else f"this torch uses {other}"
        raise Failed(
            f"no CUDA device ({why}); run it where there is one, or with --rehearse "
            "(make gpu GPU_ARGS=--rehearse)"
        )


def measure(options: argparse.Namespace, place: Path) -> int:
    """Run the checks and write what they found; 1 if one failed."""
    options.out.mkdir(parents=True, exist_ok=True)
    logs = place / "logs" if options.out.resolve() == evidence.COSTS else options.out
    logs.mkdir(exist_ok=True)
    extra = rehearsing.variables(place / "null-cuda") if options.rehearse else {}
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    room = Room(
        place,
        logs,
        interpreter(place / "hooked", hook=True),
        interpreter(place / "bare", hook=False),
        options.seconds,
        extra,
        options.rehearse,
    )
    kept: list[scheduling.Line] = []

    def tell(line: scheduling.Line) -> None:
        print(line.text(), flush=True)
        kept.append(line)
        # As each ends: a run that is cut off leaves what it found.
        text = "".join(f"{json.dumps(each.to_json())}\n" for each in kept)
        (logs / "checks.jsonl").write_text(text)

    lines = scheduling.run(room, options.checks, tell)
    write(options.out, started, lines)
    failed = [line.check for line in lines if line.outcome.verdict == FAIL]
    skipped = [line.check for line in lines if line.outcome.verdict == NOT_RUN]
    print(f"{room.passed():.0f} s; failed: {', '.join(failed) or 'none'}", flush=True)
    if skipped:
        print(f"not run: {', '.join(skipped)}", flush=True)
    return 1 if failed else 0


def write(out: Path, started: str, lines: list[scheduling.Line]) -> None:
    """Write the evidence, if a program has told what computed."""
    facts = [line.outcome.told for line in lines if line.check.startswith("facts")]
    known = [told for told in facts if told]
    if not known:
        say("nothing is written: no program has said which GPU there is (--only facts)")
        return
    costs = [line.outcome.told["cost"] for line in lines if "cost" in line.outcome.told]
    checks = [line.to_json() for line in lines]
    found = evidence.result(known[0], started, costs[0] if costs else {}, checks)
    file = evidence.write(out, found)
    print(f"wrote {file}, {file.stem}.md, {file.stem}.svg and {evidence.publish(out)}", flush=True)


def say(line: str) -> None:
    print(f"benchmarks.gpu: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
