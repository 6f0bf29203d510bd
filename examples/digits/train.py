"""Train a small CNN on 1,797 real handwritten digits: an ordinary program, with no seed in it.

The images (8 x 8 pixels, 17 grey levels) ship inside scikit-learn, so nothing is downloaded.
The program draws random numbers the way most training programs do, from the *global* generators
of three libraries and in several processes:

    what is drawn                        generator         process
    -----------------------------------  ----------------  ----------------------------
    which digits are the test set        numpy.random      main
    the first weights                    torch             main
    the order of the digits, per epoch   torch             main
    dropout                              torch             main (on a GPU: the GPU's own)
    which augmentation a digit gets      random            each DataLoader worker
    how far it is moved, its noise       numpy.random      each DataLoader worker

Nothing below seeds any of them. Run it in an image that seeds every Python process from the
environment variable SEED, and equal seeds give equal weights, bit for bit; run it anywhere else,
and every run gives other weights. The last line on stdout, a hash of the weights, tells which.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import sys
from collections.abc import Callable
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
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

NUM_CLASSES = 10
SIDE = 8  # pixels: an image is SIDE x SIDE
DARKEST = 16.0  # the file's pixel values run from 0 (paper) to 16 (ink)
TEST_DIGITS = 360  # of the 1,797, that is a fifth
TRAIN_DIGITS = 1797 - TEST_DIGITS
NOISE = 0.1  # standard deviation of the pixel noise; the ink itself is 0 to 1
DEFAULT_OUT = Path("metrics.json")


# --- Data -----------------------------------------------------------------------------------


def load_split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return train images, test images, train labels, test labels.

    Images are float32 of shape (N, 8, 8), from 0 (paper) to 1 (ink); labels are int64 of shape
    (N,), from 0 to 9. The split keeps each digit's share equal on both sides. Because it is drawn
    from NumPy's global generator, another SEED also means another test set: the spread of the
    accuracy over seeds then includes the luck of the split, not only that of the first weights.
    """
    digits = load_digits()
    images = (digits.images / DARKEST).astype(np.float32)
    labels = digits.target.astype(np.int64)
    return train_test_split(images, labels, test_size=TEST_DIGITS, stratify=labels)


def shifted(image: np.ndarray) -> np.ndarray:
    """Move a (8, 8) image by -1, 0 or 1 pixel along each axis; what comes in is paper."""
    down, right = np.random.randint(0, 3, size=2)
    return np.pad(image, 1)[down : down + SIDE, right : right + SIDE]


def noisy(image: np.ndarray) -> np.ndarray:
    """Add Gaussian noise to every pixel of a (8, 8) image."""
    return image + np.random.normal(0.0, NOISE, size=image.shape).astype(np.float32)


def unchanged(image: np.ndarray) -> np.ndarray:
    """Leave a (8, 8) image as it is: the network should also see digits as they really are."""
    return image


AUGMENTATIONS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (shifted, noisy, unchanged)


class AugmentedDigits(Dataset[tuple[Tensor, int]]):
    """The training digits, each one augmented afresh every time it is read."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Keep images (N, 8, 8) float32 and labels (N,) int64, as `load_split` returns them."""
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return one image as a (1, 8, 8) tensor, that is with its one grey channel, and its label.

        This runs in a DataLoader worker. PyTorch gives every worker seeds of its own for
        `random`, `numpy.random` and torch, all made from one number that the main process draws
        from torch's generator. So the workers differ from one another, and yet all of them follow
        from the main process's seed.
        """
        augment = random.choice(AUGMENTATIONS)
        image = np.ascontiguousarray(augment(self.images[index]))
        return torch.from_numpy(image).unsqueeze(0), int(self.labels[index])


def make_loader(dataset: AugmentedDigits, batch_size: int, workers: int, pin: bool) -> DataLoader:
    """Return a loader of shuffled batches: images (B, 1, 8, 8) float32, labels (B,) int64.

    The number of workers is part of the recipe: batch i of an epoch goes to worker i modulo
    `workers`, and each worker augments from its own streams. Two workers and three therefore give
    different weights, both of them repeatable.
    """
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,  # start them once, not every epoch (an error without any)
        pin_memory=pin,  # page-locked memory: faster copies to a GPU, a warning where there is none
    )


# --- Model ----------------------------------------------------------------------------------


def make_model() -> nn.Sequential:
    """Return the untrained network: images (B, 1, 8, 8) in, class scores (logits) (B, 10) out.

    Shapes in the comments leave out the batch. A convolution of stride 2 halves the picture where
    many networks pool: it is learned, and its gradient is computed in a fixed order on a GPU too.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1, bias=False),  # -> (32, 8, 8)
        nn.BatchNorm2d(32),  # has its own bias, so the convolution before it needs none
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3, padding=1, stride=2, bias=False),  # -> (64, 4, 4)
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),  # -> (1024,)
        nn.Dropout(0.3),
        nn.Linear(64 * 4 * 4, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, NUM_CLASSES),
    )


def weights_sha256(model: nn.Module) -> str:
    """Return a SHA-256, in hex, that two models share only if their states are equal in every bit.

    The state is everything that training leaves behind: weights, biases and the running statistics
    of batch normalisation. Names, types and shapes go in too, so that equal bytes under another
    name do not count as equal; sorting and a fixed byte order make it the same on every machine.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        array = tensor.detach().cpu().numpy()
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


# --- Training -------------------------------------------------------------------------------


def train_one_epoch(
    model: nn.Module,
    loader: DataLoader,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    device: torch.device,
    bar: tqdm,
) -> float:
    """Show the network every training digit once; return the mean loss of a digit, in nats."""
    model.train()  # dropout on, batch normalisation by the batch at hand
    total = 0.0
    seen = 0
    for images, labels in loader:
        images = images.to(device, non_blocking=True)
        labels = labels.to(device, non_blocking=True)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(labels)  # the last batch may be smaller, so weigh by size
        seen += len(labels)
        bar.update()
    return total / seen


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share, 0 to 1, of images (N, 1, 8, 8) that the model gives their label (N,)."""
    model.eval()  # dropout off, batch normalisation by its running statistics
    right = (model(images).argmax(dim=1) == labels).sum().item()
    return right / len(labels)


def train(options: argparse.Namespace) -> dict[str, object]:
    """Train from scratch and return what is worth keeping: the content of metrics.json."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_images, test_images, train_labels, test_labels = load_split()
    loader = make_loader(
        AugmentedDigits(train_images, train_labels),
        options.batch_size,
        options.workers,
        pin=device.type == "cuda",
    )
    # All 360 test digits fit into one batch and get no augmentation: they need no loader.
    test_x = torch.from_numpy(test_images).unsqueeze(1).to(device)  # (360, 1, 8, 8)
    test_y = torch.from_numpy(test_labels).to(device)  # (360,)

    model = make_model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr)
    steps = options.epochs * len(loader)
    # The learning rate rises to --lr and then falls to almost nothing, which lets the weights
    # settle: the last epoch is as good as any, and nobody needs to pick the best one by looking
    # at the test set (that would make the reported accuracy too good to be true).
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps)

    history = []
    # disable=None: no bar where stderr is no terminal (a log file, a CI job), but a line per epoch.
    with tqdm(total=steps, unit="batch", disable=None, dynamic_ncols=True) as bar:
        for epoch in range(1, options.epochs + 1):
            bar.set_description(f"epoch {epoch}/{options.epochs}")
            loss = train_one_epoch(model, loader, optimizer, schedule, device, bar)
            if not math.isfinite(loss):
                fail(f"the loss is {loss} in epoch {epoch}: try an --lr below {options.lr:g}")
            test_accuracy = accuracy(model, test_x, test_y)
            history.append({"epoch": epoch, "train_loss": loss, "test_accuracy": test_accuracy})
            bar.set_postfix(loss=f"{loss:.3f}", test=f"{test_accuracy:.2%}")
            if bar.disable:
                line = f"epoch {epoch}/{options.epochs}: loss {loss:.3f}, test {test_accuracy:.2%}"
                print(line, file=sys.stderr, flush=True)

    # Neither times nor dates: two runs with equal bits then write equal files.
    return {
        "accuracy": history[-1]["test_accuracy"],
        "weights_sha256": weights_sha256(model),
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "lr": options.lr,
        "workers": options.workers,
        "device": str(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),  # sums split over more threads round differently
        "history": history,
    }


# --- Command line ---------------------------------------------------------------------------


def fail(message: str) -> NoReturn:
    """End the program as for a mistake on the command line: one line on stderr, status 2."""
    print(f"{Path(__file__).name}: error: {message}", file=sys.stderr)
    sys.exit(2)


class OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong without printing the usage as well."""

    def error(self, message: str) -> NoReturn:
        fail(message)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a reader, for argparse, of whole numbers from low to high."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1  # no number at all: refused below, in the same words
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {low} to {high}, got {text!r}"
            )
        return value

    return read


def learning_rate(text: str) -> float:
    """Read, for argparse, a learning rate: above 0 and at most 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan  # fails every comparison
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 1, got {text!r}")
    return value


def scratch_path(out: Path) -> Path:
    """Return the name under which metrics are written before they get their own."""
    return out.with_name(f".{out.name}.{os.getpid()}.tmp")


def writable_file(text: str) -> Path:
    """Read, for argparse, the name of a file to be written; refuse one that cannot be.

    Asked before training, because training must not end in "no such directory". The way to know
    is to try: permission bits say little to root, on a read-only mount or over a network.
    """
    out = Path(os.path.realpath(text))  # follow links, so as to replace the file and not the link
    # os.path answers False where it may not look; Path's own questions would raise.
    if os.path.isdir(out) or text.endswith("/"):
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: it is a directory")
    if os.path.exists(out) and not os.path.isfile(out):  # /dev/null: a rename would replace it
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: it is not a regular file")
    scratch = scratch_path(out)
    try:
        scratch.touch()
        scratch.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from None
    return out


def write_metrics(out: Path, metrics: dict[str, object]) -> None:
    """Write metrics as JSON; a reader finds the old file or the whole new one, never a part."""
    scratch = scratch_path(out)
    try:
        scratch.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        scratch.replace(out)  # atomic, because both names are in one directory
    except OSError as error:
        scratch.unlink(missing_ok=True)
        fail(f"cannot write {str(out)!r}: {error.strerror}")


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line (sys.argv unless given) and check all of it."""
    parser = OneLineParser(
        description="Train a small CNN on scikit-learn's handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--epochs",
        type=whole_number(1, 10_000),
        default=15,
        metavar="N",
        help="passes over the training digits",
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(1, TRAIN_DIGITS),
        default=64,
        metavar="N",
        help="digits per step",
    )
    parser.add_argument(
        "--lr", type=learning_rate, default=0.005, metavar="X", help="highest learning rate"
    )
    parser.add_argument(
        "--workers",
        type=whole_number(0, 64),
        default=2,
        metavar="N",
        help="DataLoader processes; 0 loads in the main process",
    )
    parser.add_argument(
        "--out",
        type=writable_file,
        default=DEFAULT_OUT,
        metavar="FILE",
        help="results, as JSON",
    )
    options = parser.parse_args(arguments)
    if options.out is DEFAULT_OUT:
        options.out = default_out()
    return options


def default_out() -> Path | None:
    """Return where the results go if nobody said it; None, with a line, where they cannot go there.

    A folder that belongs to another user is no reason to refuse a training that nobody asked to
    write anything: what it shows is on stdout.
    """
    try:
        return writable_file(str(DEFAULT_OUT))
    except argparse.ArgumentTypeError as error:
        print(f"{Path(__file__).name}: {error}; training without it", file=sys.stderr)
        return None


def main() -> None:
    options = parse_options()
    metrics = train(options)
    if options.out is not None:
        write_metrics(options.out, metrics)
    print(f"test accuracy: {100 * metrics['accuracy']:.2f} %")
    print(f"weights sha256: {metrics['weights_sha256']}")


if __name__ == "__main__":
    main()
