"""Training steps with a trace and without, in one process. Target: a ratio of at most 1.05.

The hooks are put in and taken out from step to step, in pairs of changing order, so that both kinds
of steps meet the same machine: the same memory, the same neighbours, the same clock.
"""

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import interpreters

TARGET = 1.05
MODELS = {"transformer": 60, "cnn": 60, "mlp": 1500}
"""Model -> pairs of steps. The MLP is there for information: its step takes half a millisecond."""

PROGRAM = """
import json, statistics, sys, time
import torch
from torch import nn
from torch.optim import optimizer as optimizers

kind, pairs, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)

def block(one, two):
    return [nn.Conv2d(one, two, 3, padding=1), nn.BatchNorm2d(two), nn.ReLU()]

if kind == "transformer":
    layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
    model = nn.TransformerEncoder(layer, 4)
    x, y = torch.randn(10, 64, 256), torch.randn(10, 64, 256)
elif kind == "cnn":
    model = nn.Sequential(
        *block(3, 32), *block(32, 64), nn.MaxPool2d(2), *block(64, 128), nn.MaxPool2d(2),
        *block(128, 256), nn.MaxPool2d(2), nn.Conv2d(256, 80, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(80, 10))
    x, y = torch.randn(32, 3, 32, 32), torch.randn(32, 10)
else:
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                          nn.Linear(64, 10))
    x, y = torch.randn(32, 32), torch.randn(32, 10)
optimizer = torch.optim.AdamW(model.parameters())

def step():
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()

hooks = optimizers._global_optimizer_pre_hooks, optimizers._global_optimizer_post_hooks
kept, backward = [dict(each) for each in hooks], torch.autograd.backward
assert all(kept), "no trace"

def trace(on):
    for hook, own in zip(hooks, kept):
        hook.clear()
        if on:
            hook.update(own)
    torch.autograd.backward = backward if on else backward.__wrapped__

times = [], []
for _ in range(5):
    step()
for number in range(2 * pairs):
    on = (number + number // 2) % 2
    trace(on)
    start, busy = time.perf_counter(), time.process_time()
    step()
    times[on].append((time.perf_counter() - start, time.process_time() - busy))
size = sum(each.numel() for each in model.parameters())
def thirtieth(values):
    return sorted(values)[int(0.3 * len(values))]
print(json.dumps([size, [[thirtieth(each) for each in zip(*arm)] for arm in times]]))
"""

DIGESTS = """
import hashlib, json, time
import torch
from seed_init.proof.observer.tensors.fingerprints import fingerprint

torch.set_num_threads(1)
tensor, out = torch.randn(3_400_000), torch.empty((), dtype=torch.int64)
content = memoryview(tensor.numpy())
def best(function):
    times = []
    for _ in range(30):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[9]
print(json.dumps([best(lambda: hashlib.sha256(content).digest()),
                  best(lambda: fingerprint(tensor, out))]))
"""


def main() -> None:
    """Print the ratios, the two digests, and how long the command takes to start."""
    with tempfile.TemporaryDirectory() as place:
        python = interpreters.copy_base(Path(place, "traced"))
        interpreters.see_packages(python)
        interpreters.install_hook(python)
        print(f"a traced step (30th percentile of steps in turn; target {TARGET})")
        for kind, pairs in MODELS.items():
            for threads in (1, 2):
                trace = Path(place, f"{kind}-{threads}")
                size, arms = _answer(
                    python, PROGRAM, kind, str(pairs), str(threads), SEED_INIT_TRACE=str(trace)
                )
                (wall, busy), (traced_wall, traced_busy) = arms
                print(
                    f"  {kind:<12} {size:>9,} parameters, {threads} threads: "
                    f"{wall * 1e3:8.2f} ms -> {traced_wall * 1e3:8.2f} ms   "
                    f"ratio {traced_wall / wall:.3f}, of CPU time {traced_busy / busy:.3f}"
                )
        sha, own = _answer(python, DIGESTS)
        print(f"3.4 million floats: SHA-256 {sha * 1e3:.2f} ms, fingerprint {own * 1e3:.2f} ms")
        print("kept on a device: 16 bytes per tensor and step, until a batch of 16 steps is copied")
        command = str(python.parent / "seed-init")
        report_start(command if Path(command).exists() else None, python)


def report_start(command: str | None, python: Path) -> None:
    """Print how long `seed-init --help` takes."""
    arguments = [command, "--help"] if command else [str(python), "-m", "seed_init", "--help"]
    times = []
    for _ in range(15):
        start = time.perf_counter()
        environment = interpreters.environment(python)
        subprocess.run(arguments, env=environment, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"seed-init --help: {statistics.median(times) * 1e3:.0f} ms (median; target 150 ms)")


def _answer(python: Path, program: str, *arguments: str, **variables: str) -> Any:
    done = subprocess.run(
        [str(python), "-c", program, *arguments],
        env=interpreters.environment(python, SEED="7", SEED_INIT_LOG="quiet", **variables),
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
