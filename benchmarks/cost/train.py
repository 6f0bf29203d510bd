"""Train one of the models in an ordinary loop, and print what it took as one line of JSON.

    python train.py resnet --device cuda --warmup 10 --steps 50

It knows nothing of seeds, flags or seed_init: whoever measures a way of seeding puts it around this
program, or at the top of a copy of it.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from models import MODELS, Task

OPERATORS = 15
"""How many operators a profile names."""


class Training:
    """The loop. It never waits for the device: a step's loss is kept where it is."""

    def __init__(self, name: str, device: str) -> None:
        task: Task = MODELS[name](device == "cuda")
        self.device = device
        self.model = task.model.to(device)
        self.make_optimizer = task.optimizer
        self.optimizer = task.optimizer(self.model.parameters())
        self.batches = [
            [
                part if place in task.kept_on_cpu else part.to(device)
                for place, part in enumerate(batch)
            ]
            for batch in task.batches
        ]
        self.mixed = task.mixed and device == "cuda"
        self.losses: list[torch.Tensor] = []

    def step(self) -> None:
        batch = self.batches[len(self.losses) % len(self.batches)]
        self.optimizer.zero_grad()
        with self.precision():
            loss = self.model(*batch)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.detach())

    def precision(self) -> Any:
        if self.mixed:
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def digest(self) -> str:
        """SHA-256 of the bytes of all parameters, buffers and losses."""
        sha = hashlib.sha256()
        for tensor in [*self.model.state_dict().values(), torch.stack(self.losses)]:
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            sha.update(memoryview(flat.view(torch.uint8).numpy()))
        return sha.hexdigest()


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    training = Training(options.model, options.device)
    for _ in range(options.warmup):
        training.step()
    if options.profile:
        print(json.dumps({"model": options.model, "operators": profile(training, options.steps)}))
        return
    step_ms = measure(training, options.steps)
    answer = {
        "model": options.model,
        "device": options.device,
        "threads": torch.get_num_threads(),
        "warmup": options.warmup,
        "step_ms": [round(each, 5) for each in step_ms],
        "peak_bytes": peak_bytes(options.device),
        "first_loss": float(training.losses[0]),
        "last_loss": float(training.losses[-1]),
        "digest": training.digest(),
        **versions(options.device),
        "flags": flags(),
    }
    print(json.dumps(answer))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one model and print what it took.")
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the measured ones")
    parser.add_argument("--steps", type=int, default=50, help="measured steps")
    parser.add_argument(
        "--threads", type=int, help="threads of the CPU; PyTorch's choice if not given"
    )
    parser.add_argument("--profile", action="store_true", help="print the costliest operators")
    options = parser.parse_args()
    if options.steps < 1 or options.warmup < 0:
        parser.error("--steps must be at least 1 and --warmup at least 0")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: no CUDA device here (torch {torch.__version__}); use cpu")
    return options


def measure(training: Training, steps: int) -> list[float]:
    """Train; the milliseconds of each step, from the end of one to the end of the next.

    On CUDA by events, which the device notes when it gets there: the program runs ahead of it, as
    any training does.
    """
    if training.device == "cuda":
        events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
        torch.cuda.synchronize()
        events[0].record()
        for event in events[1:]:
            training.step()
            event.record()
        torch.cuda.synchronize()
        return [one.elapsed_time(two) for one, two in itertools.pairwise(events)]
    times = [time.perf_counter()]
    for _ in range(steps):
        training.step()
        times.append(time.perf_counter())
    return [(two - one) * 1e3 for one, two in itertools.pairwise(times)]


def profile(training: Training, steps: int) -> list[dict[str, Any]]:
    """The operators with the most time of their own, in milliseconds a step on the device."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    activities = [ProfilerActivity.CPU]
    if training.device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profiler(activities=activities) as recorded:
        for _ in range(steps):
            training.step()
        if training.device == "cuda":
            torch.cuda.synchronize()
    found = []
    for event in recorded.key_averages():
        # On CUDA kernels and annotations have entries of their own: they would be counted twice.
        if event.device_type != torch.autograd.DeviceType.CPU:
            continue
        microseconds = (
            event.self_device_time_total if training.device == "cuda" else event.self_cpu_time_total
        )
        found.append({"name": event.key, "ms": round(microseconds / steps / 1e3, 5)})
    return sorted(found, key=lambda each: -each["ms"])[:OPERATORS]


def peak_bytes(device: str) -> dict[str, int]:
    """The most memory used so far: the device's, or this process's."""
    if device == "cuda":
        return {
            "allocated": torch.cuda.max_memory_allocated(),
            "reserved": torch.cuda.max_memory_reserved(),
        }
    # Not getrusage's ru_maxrss: a process inherits it from the one that started it.
    return {"resident": next(resident_peaks(Path("/proc/self/status").read_text()))}


def resident_peaks(status: str) -> Iterator[int]:
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            yield 1024 * int(line.split()[1])


def versions(device: str) -> dict[str, Any]:
    """What computed: PyTorch, CUDA and cuDNN, and the GPU where one was used."""
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }


def flags() -> dict[str, Any]:
    """The flags in effect, under PyTorch's names."""
    backends = torch.backends
    return {
        "cudnn.deterministic": backends.cudnn.deterministic,
        "cudnn.benchmark": backends.cudnn.benchmark,
        "cudnn.allow_tf32": setting(lambda: backends.cudnn.allow_tf32),
        "cuda.matmul.allow_tf32": setting(lambda: backends.cuda.matmul.allow_tf32),
        "deterministic_debug_mode": torch.get_deterministic_debug_mode(),
        "fill_uninitialized_memory": torch.utils.deterministic.fill_uninitialized_memory,
        "CUBLAS_WORKSPACE_CONFIG": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def setting(read: Any) -> Any:
    """A flag that newer releases keep under another name.

    From 2.9 on allow_tf32 stands for fp32_precision: reading it warns, and raises where the two
    have been set to contradict each other (aten/src/ATen/Context.cpp, allowTF32CuBLAS).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except RuntimeError as error:
        return str(error).splitlines()[0]


if __name__ == "__main__":
    main()
