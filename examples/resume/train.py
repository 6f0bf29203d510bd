"""Train, be interrupted, resume: which random numbers come after a restart.

A small network learns scikit-learn's handwritten digits. After each epoch a checkpoint is
written; a run that finds one goes on from it. Nothing below seeds anything: in an image that
seeds every Python process from SEED, each start of this program begins with the same numbers.
That is the trap for a job that is interrupted: started again, it would shuffle its first epoch
as epoch 1 was shuffled, whichever epoch it has come to. Two ways out:

1. The checkpoint holds the states of the generators as well (the default here). The resumed run
   then ends with the weights of one that was never interrupted, bit for bit.
2. The checkpoint does not (`--no-rng-states`). Then SEED_INIT_RESTART must differ from attempt
   to attempt: it gives each its own numbers, and the same ones whenever it is repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
from pathlib import Path
from typing import NoReturn


def one_line_for_ctrl_c(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Answer Ctrl-C with a line and not a traceback; the exit status stays the signal's, 130."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"{Path(__file__).name}: interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = one_line_for_ctrl_c  # before the imports below, which take seconds

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

TEST_DIGITS = 360
NOISE = 0.1


class NoisyDigits(Dataset[tuple[Tensor, int, int]]):
    """Digits that are moved sideways and get noise, afresh each time they are read."""

    def __init__(self, images: Tensor, labels: Tensor, digits: Tensor) -> None:
        """Keep images (N, 64) from 0 to 1, labels (N,), and which of the N to use."""
        self.images = images
        self.labels = labels
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        """Return an image, its label and its number among all digits."""
        digit = int(self.digits[index])
        image = self.images[digit].reshape(8, 8).roll(random.randint(-1, 1), dims=1)
        noise = np.random.normal(0.0, NOISE, size=64).astype(np.float32)
        return image.reshape(64) + torch.from_numpy(noise), int(self.labels[digit]), digit


# --- Checkpoints ----------------------------------------------------------------------------


def rng_states() -> dict[str, object]:
    """Return the states of the global generators, in types that `torch.load` takes as data."""
    name, keys, *rest = np.random.get_state()
    return {
        "random": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),  # [] without a GPU
    }


def restore_rng_states(states: dict[str, object]) -> None:
    """Let the global generators go on where they were when `rng_states` was called."""
    random.setstate(states["random"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    torch.cuda.set_rng_state_all(states["cuda"])


def save(checkpoint: dict[str, object], path: Path) -> None:
    """Write a checkpoint; an interruption leaves the old one or the new one, never a part."""
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load(path: Path) -> dict[str, object]:
    """Read what `save` wrote.

    Raises:
        SystemExit: the file is no checkpoint of this program.
    """
    try:
        checkpoint = torch.load(path, weights_only=True)
        if {"epochs", "model", "optimizer", "split"} <= checkpoint.keys():
            return checkpoint
    except Exception:  # whatever unpickling a foreign file raises
        pass
    raise SystemExit(f"{path} is no checkpoint of this program; move it, or give --checkpoint FILE")


# --- Training -------------------------------------------------------------------------------


def train_one_epoch(
    model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer
) -> tuple[float, str]:
    """Show the network every training digit; return the mean loss and a hash of their order."""
    model.train()
    total = 0.0
    order = hashlib.sha256()
    for images, labels, digits in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        order.update(digits.numpy().astype("<i8").tobytes())
    return total / len(loader.dataset), order.hexdigest()[:16]


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that the model gives their label."""
    model.eval()
    return (model(images).argmax(dim=1) == labels).float().mean().item()


def weights_sha256(model: nn.Module) -> str:
    """Return a hash of all weights that is equal only for equal bits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def train(options: argparse.Namespace) -> None:
    """Train from the checkpoint, or from scratch, until the last epoch or `--stop-after`."""
    images, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    images = images.float() / 16
    split = torch.randperm(len(images))
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    done = 0

    # All is made as in a first start, and what the checkpoint holds is put over it.
    if options.checkpoint.exists():
        checkpoint = load(options.checkpoint)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        # Drawn anew, the test set would hold digits that earlier attempts have trained on.
        split = checkpoint["split"]
        done = checkpoint["epochs"]
        print(f"resumed after epoch {done} of {options.epochs}", flush=True)
        if options.rng_states:
            if "rng_states" not in checkpoint:
                raise SystemExit(
                    f"{options.checkpoint} was written with --no-rng-states; resume with it too"
                )
            # Last: nothing may be drawn between this and the next epoch.
            restore_rng_states(checkpoint["rng_states"])

    test, training = split[:TEST_DIGITS], split[TEST_DIGITS:]
    loader = DataLoader(NoisyDigits(images, labels, training), batch_size=64, shuffle=True)
    last = min(options.epochs, done + (options.stop_after or options.epochs))
    for epoch in range(done + 1, last + 1):
        loss, order = train_one_epoch(model, loader, optimizer)
        print(f"epoch {epoch}: loss {loss:.6f}, order {order}", flush=True)
        checkpoint = {
            "epochs": epoch,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "split": split,
        }
        if options.rng_states:
            checkpoint["rng_states"] = rng_states()
        save(checkpoint, options.checkpoint)

    if last < options.epochs:
        print(f"stopped after epoch {last} of {options.epochs}")
        return
    print(f"test accuracy: {accuracy(model, images[test], labels[test]):.2%}")
    print(f"weights sha256: {weights_sha256(model)}")


def positive(text: str) -> int:
    """Read, for argparse, a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Answer a mistake with one line, without the usage."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def main() -> None:
    parser = Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=positive, default=4, metavar="N", help="in all attempts")
    parser.add_argument(
        "--stop-after", type=positive, metavar="N", help="end this attempt after N epochs"
    )
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoint.pt"), metavar="FILE", help="read, kept"
    )
    parser.add_argument(
        "--no-rng-states",
        dest="rng_states",
        action="store_false",
        help="leave the states of the generators out of the checkpoint",
    )
    options = parser.parse_args()
    if not os.access(options.checkpoint.parent, os.W_OK):
        parser.error(f"cannot write to {options.checkpoint.parent}; give another --checkpoint FILE")
    train(options)


if __name__ == "__main__":
    main()
