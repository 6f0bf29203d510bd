# SPDX-License-Identifier: Apache-2.0
"""Trainings of a few steps, as people write them: what they compute is told by digests.

They draw from the global generators and seed none. `benchmarks.portability` and the golden digests
(`harness/golden`) run them. Imports torch.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

STEPS = 20

Batch = tuple[Tensor, Tensor]


def digest(*tensors: Tensor) -> str:
    """A digest of the bits of some tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[Batch],
    criterion: Callable[[Tensor, Tensor], Tensor],
    after_backward: Callable[[], object] = lambda: None,
) -> dict[str, str]:
    """Train on some batches.

    Args:
        model: what is trained.
        optimizer: of the model's parameters.
        batches: inputs and targets; their number is the number of steps.
        criterion: gives the loss of outputs and targets.
        after_backward: runs between a step's gradients and its update.

    Returns:
        Digests: `first`, of the first step's loss and gradients; `loss`, of the last loss; and
        `weights`, of the model's state at the end.
    """
    model.train()
    first, loss = "", torch.zeros(())
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        after_backward()
        optimizer.step()
        if not first:
            gradients = [each.grad for each in model.parameters() if each.grad is not None]
            first = digest(loss, *gradients)
    return {
        "first": first,
        "loss": digest(loss),
        "weights": digest(*model.state_dict().values()),
    }


def cnn(kind: str) -> dict[str, str]:
    """A convolutional network with batch normalization and dropout.

    Args:
        kind: of the optimizer, "sgd" or "adamw".
    """
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1, stride=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(32, 10),
    )
    optimizer: torch.optim.Optimizer
    if kind == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    images, labels = torch.randn(64, 3, 16, 16), torch.randint(10, (64,))

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            chosen = torch.randperm(64)[:8]
            yield images[chosen], labels[chosen]

    return train(model, optimizer, batches(), functional.cross_entropy)


class Language(nn.Module):  # type: ignore[misc]
    """A small transformer that predicts the next token."""

    WORDS, LENGTH, WIDTH = 100, 24, 32

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            self.WIDTH, 4, 4 * self.WIDTH, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.words = nn.Embedding(self.WORDS, self.WIDTH)
        self.places = nn.Parameter(torch.randn(self.LENGTH, self.WIDTH) * 0.02)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(self.WIDTH, self.WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(self.LENGTH)
        inside = self.layers(self.words(tokens) + self.places, mask=mask, is_causal=True)
        outputs: Tensor = self.head(inside)
        return outputs.flatten(0, 1)


def transformer() -> dict[str, str]:
    """A transformer with AdamW, clipped gradients and a schedule."""
    model = Language()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            tokens = torch.randint(Language.WORDS, (4, Language.LENGTH))
            yield tokens, tokens.roll(-1, 1).flatten()
            schedule.step()

    def clip() -> object:
        return nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    return train(model, optimizer, batches(), functional.cross_entropy, clip)


class Sequence(nn.Module):  # type: ignore[misc]
    """Two layers of LSTM that answer with a number."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.LSTM(16, 24, 2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(24, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.layers(inputs)[0][:, -1])
        return outputs


def lstm() -> dict[str, str]:
    """An LSTM with Adam."""
    model = Sequence()

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            inputs = torch.randn(8, 16, 16)
            yield inputs, inputs.sum((1, 2))[:, None].tanh()

    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    return train(model, optimizer, batches(), functional.mse_loss)


class Autocast(nn.Module):  # type: ignore[misc]
    """A perceptron that computes in bfloat16 where autocast chooses that."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            outputs: Tensor = self.layers(inputs)
        return outputs.float()


def bf16() -> dict[str, str]:
    """A perceptron under autocast in bfloat16, with SGD."""
    model = Autocast()

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            yield torch.randn(32, 64), torch.randint(10, (32,))

    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    return train(model, optimizer, batches(), functional.cross_entropy)


class Items(Dataset[Any]):  # type: ignore[misc]
    """64 items that workers compute with PyTorch and with NumPy."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        drawn = torch.randn(64, 64) + torch.from_numpy(np.random.standard_normal((64, 64))).float()
        target = drawn.std() + np.float32(np.log(np.abs(drawn.numpy()) + 1).mean())
        return (drawn @ drawn.t() / 8).softmax(0).exp().sum(0), target


def dataloader() -> dict[str, str]:
    """A linear model on what two DataLoader workers compute and draw."""
    model = nn.Linear(64, 1)

    def batches() -> Iterator[Batch]:
        for _ in range(2):
            yield from DataLoader(Items(), 8, shuffle=True, num_workers=2)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs[:, 0], targets.float())

    optimizer = torch.optim.AdamW(model.parameters())
    return train(model, optimizer, batches(), loss)


TRAININGS: dict[str, Callable[[], dict[str, str]]] = {
    "cnn_sgd": lambda: cnn("sgd"),
    "cnn_adamw": lambda: cnn("adamw"),
    "transformer": transformer,
    "lstm": lstm,
    "bf16": bf16,
    "dataloader": dataloader,
}
"""Name -> training."""
