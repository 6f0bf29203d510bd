"""Train with checkpoints in the middle of epochs, and go on from the last one.

Without --fault everything is in the checkpoint. With it, one thing goes wrong that goes wrong in
the trainings of people; `catalogue.py` says what has to be said of each.
"""

import argparse
import os
import random
import signal
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

EPOCHS, BATCH, EVERY = 3, 8, 4


class Noisy(Dataset):
    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(48, 6, generator=generator)
        self.targets = self.inputs.sum(1, keepdim=True)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        noise = random.gauss(0, 0.1) + np.random.normal(0, 0.1)
        return self.inputs[index] + noise, self.targets[index]


class EpochSampler(Sampler):
    """An order of its own for each epoch, from any batch on."""

    def __init__(self, size):
        self.size, self.epoch, self.first = size, 0, 0

    def __len__(self):
        return self.size - self.first * BATCH

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.epoch)
        order = torch.randperm(self.size, generator=generator).tolist()
        return iter(order[self.first * BATCH :])


class Centred(nn.Module):
    """Takes off a running mean that is in no state_dict()."""

    def __init__(self):
        super().__init__()
        self.mean = torch.zeros(())

    def forward(self, inputs):
        self.mean = 0.9 * self.mean + 0.1 * inputs.mean()
        return inputs - self.mean


def generators():
    return {
        "random": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }


def restore(states, fault):
    if fault == "generators":
        return
    if fault != "random":
        random.setstate(states["random"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])


def write(content, path):
    torch.save(content, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", default="")
    parser.add_argument("--handler", action="store_true", help="save when SIGTERM comes")
    parser.add_argument("--directory", type=Path, default=Path("out"))
    options = parser.parse_args()
    fault = options.fault
    options.directory.mkdir(exist_ok=True)
    path = options.directory / "last.pt"

    first = Centred() if fault == "attribute" else nn.Identity()
    model = nn.Sequential(first, nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    data = Noisy()
    sampler = None if fault == "shuffle" else EpochSampler(len(data))
    loader = DataLoader(data, BATCH, shuffle=sampler is None, sampler=sampler)

    epoch, batch, states, asked = 0, 0, None, []
    if path.exists():
        kept = torch.load(path, weights_only=False)
        model.load_state_dict(kept["model"])
        if fault == "torn":
            model[4].load_state_dict(torch.load(options.directory / "head.pt"))
        if fault != "optimizer":
            optimizer.load_state_dict(kept["optimizer"])
        if fault != "scheduler":
            scheduler.load_state_dict(kept["scheduler"])
        if fault != "scaler":
            scaler.load_state_dict(kept["scaler"])
        epoch, batch, states = kept["epoch"], kept["batch"], kept["generators"]
        if fault == "epoch":
            epoch = 0
        elif fault == "place":
            batch = 0
        elif fault == "skipped":
            batch += 1
    if options.handler:
        signal.signal(signal.SIGTERM, lambda *_: asked.append(True))

    pieces = []

    def save(epoch, batch):
        content = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "scaler": scaler.state_dict(),
            "epoch": epoch,
            "batch": batch,
            "generators": generators(),
        }
        if fault == "half":
            content["model"] = {name: each.half() for name, each in content["model"].items()}
        write(content, path)
        if fault == "cut":
            # A writer beside the training, which writes a piece after each step.
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            pieces.append(whole)

    last = epoch + EPOCHS if fault == "counted" else EPOCHS
    step = epoch * 6 + batch
    while epoch < last:
        if sampler is not None:
            sampler.epoch, sampler.first = epoch, batch
        if states is not None and fault in ("drawn", "shuffle"):
            restore(states, fault)
            states = None
        iterator = iter(loader)
        if states is not None:
            # Last: making an iterator draws.
            restore(states, fault)
            states = None
        for inputs, targets in iterator:
            if fault == "noise" and step == 13:
                inputs = inputs + int.from_bytes(os.urandom(2), "big") / 2**16
            loss = (model(inputs) - targets).square().mean()
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            step, batch = step + 1, batch + 1
            if pieces and step % 3 == 0:
                path.write_bytes(pieces.pop())
            if fault == "torn" and step % 3 == 0:
                write(model[4].state_dict(), options.directory / "head.pt")
            if step % EVERY == 0 or asked:
                save(epoch, batch)
            if asked:
                print(f"stopped after step {step}")
                os._exit(143)
        epoch, batch = epoch + 1, 0
    print(f"loss {loss.item():.6f}")


main()
