"""Train one of the models in an ordinary loop.

    python train.py resnet --device cuda --steps 60

It knows nothing of seeds, flags or seed_init: whoever measures a way of seeding puts it around this
program, or at the top of a copy of it.
"""

import argparse
import contextlib
import hashlib
from typing import Any

import torch
from models import MODELS, Task


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
    for _ in range(options.steps):
        training.step()
    print(f"{options.model}: loss {training.losses[0]:.4f} -> {training.losses[-1]:.4f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one model.")
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument(
        "--threads", type=int, help="threads of the CPU; PyTorch's choice if not given"
    )
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: no CUDA device here (torch {torch.__version__}); use cpu")
    return options


if __name__ == "__main__":
    main()
