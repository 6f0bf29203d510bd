"""The models that the cost of determinism is measured on. Each stresses one path of PyTorch.

Nothing in here seeds or sets a flag. The data are the same in every process, from a generator of
their own; parameters and dropout are drawn from PyTorch's global generator, so that unseeded runs
differ.
"""

# mypy: disallow-subclassing-any=False

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCHES = 4
"""Distinct batches, through which the training goes again and again."""

Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Task:
    """A model and what its training needs.

    Attributes:
        model: takes a batch, gives the loss.
        batches: what it is trained on, on the CPU.
        optimizer: makes the optimizer that is usual for this kind of model.
        kept_on_cpu: places in a batch of what PyTorch wants on the CPU: lengths of sequences.
        mixed: on CUDA, trained under autocast to bfloat16, as is usual for this kind of model.
    """

    model: nn.Module
    batches: list[Batch]
    optimizer: Callable[[Any], torch.optim.Optimizer]
    kept_on_cpu: tuple[int, ...] = ()
    mixed: bool = False


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.02, momentum=0.9, weight_decay=1e-4)


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-3)


def batches(make: Callable[[torch.Generator], Batch]) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [make(generator) for _ in range(BATCHES)]


def tokens(generator: torch.Generator, vocabulary: int, *shape: int) -> Tensor:
    """Words of a language: the lower the number the more frequent, by about 1 / rank (Zipf)."""
    uniform = torch.rand(*shape, generator=generator)
    return ((vocabulary + 1.0) ** uniform - 1).long().clamp(0, vocabulary - 1)


# Convolutions and batch norm


class Residual(nn.Module):
    """Two convolutions with batch norm, and a shortcut (ResNet's basic block)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.two = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm_one, self.norm_two = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm_one(self.one(x)))
        return F.relu(self.norm_two(self.two(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, widths: tuple[int, ...], blocks: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
        ]
        inputs = widths[0]
        for level, width in enumerate(widths):
            for block in range(blocks):
                layers.append(Residual(inputs, width, 2 if level and not block else 1))
                inputs = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(self.layers(images), classes)


def resnet(cuda: bool) -> Task:
    """Classify images: a ResNet-18 on CUDA, a thin one on the CPU."""
    widths = (64, 128, 256, 512) if cuda else (16, 32, 64)
    size, side, classes = (128, 128, 1000) if cuda else (16, 64, 100)

    def batch(generator: torch.Generator) -> Batch:
        images = torch.randn(size, 3, side, side, generator=generator)
        return images, torch.randint(classes, (size,), generator=generator)

    return Task(ResNet(widths, 2 if cuda else 1, classes), batches(batch), sgd)


class UNet(nn.Module):
    """An encoder and a decoder joined by shortcuts, enlarging by bilinear interpolation."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        pairs = list(zip((3, *widths), widths))
        self.down = nn.ModuleList(self.double(one, two) for one, two in pairs)
        ups = list(zip(widths[::-1], widths[-2::-1]))
        self.up = nn.ModuleList(self.double(one + two, two) for one, two in ups)
        self.head = nn.Conv2d(widths[0], classes, 1)

    @staticmethod
    def double(inputs: int, outputs: int) -> nn.Module:
        layers: list[nn.Module] = []
        for one in (inputs, outputs):
            layers.append(nn.Conv2d(one, outputs, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        x, kept = images, []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1]):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, beside], dim=1))
        return F.cross_entropy(self.head(x), masks)


def unet(cuda: bool) -> Task:
    """Segment images: a class for each pixel."""
    widths = (32, 64, 128, 256, 512) if cuda else (8, 16, 32)
    size, side, classes = (8, 256, 8) if cuda else (2, 64, 4)

    def batch(generator: torch.Generator) -> Batch:
        images = torch.randn(size, 3, side, side, generator=generator)
        # Regions of some size, not single pixels, as in masks drawn by people.
        coarse = torch.randn(size, classes, side // 16, side // 16, generator=generator)
        return images, F.interpolate(coarse, size=(side, side), mode="nearest").argmax(1)

    return Task(UNet(widths, classes), batches(batch), adamw)


# Sequences


class Block(nn.Module):
    """A transformer's block with causal attention, normalised first (GPT-2's)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_one, self.norm_two = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        size, length, width = x.shape
        qkv = self.qkv(self.norm_one(x)).view(size, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(size, length, width))
        return x + self.mlp(self.norm_two(x))


class LanguageModel(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        x = self.embedding(text[:, :-1]) + self.position
        logits = self.head(self.norm(self.blocks(x)))
        return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())


def transformer(cuda: bool) -> Task:
    """A causal language model; on CUDA in bfloat16, where attention is FlashAttention."""
    vocabulary, length, size = (8192, 1024, 12) if cuda else (1000, 64, 4)
    width, heads, depth = (768, 12, 6) if cuda else (128, 4, 3)

    def batch(generator: torch.Generator) -> Batch:
        return (tokens(generator, vocabulary, size, length + 1),)

    model = LanguageModel(vocabulary, length, width, heads, depth)
    return Task(model, batches(batch), adamw, mixed=True)


class Recurrent(nn.Module):
    def __init__(self, vocabulary: int, width: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, text: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(text[:, :-1]))
        return F.cross_entropy(self.head(hidden).flatten(0, 1), text[:, 1:].flatten())


def lstm(cuda: bool) -> Task:
    """A language model of two LSTM layers with dropout between them; cuDNN's on CUDA."""
    vocabulary, length, size = (4096, 128, 64) if cuda else (500, 32, 16)
    width, hidden = (512, 1024) if cuda else (64, 128)

    def batch(generator: torch.Generator) -> Batch:
        return (tokens(generator, vocabulary, size, length + 1),)

    return Task(Recurrent(vocabulary, width, hidden), batches(batch), adamw)


class Encoder(nn.Module):
    """A classifier of texts of unequal length: self-attention with dropout and a padding mask."""

    def __init__(self, vocabulary: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        layer = nn.TransformerEncoderLayer(width, 8, 4 * width, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, text: Tensor, classes: Tensor) -> Tensor:
        x = self.layers(self.embedding(text), src_key_padding_mask=text == 0)
        return F.cross_entropy(self.head(x[:, 0]), classes)


def attention(cuda: bool) -> Task:
    """Classify texts by attention with dropout, in float32."""
    vocabulary, length, size = (8192, 384, 16) if cuda else (1000, 48, 6)
    width, depth, classes = (512, 3, 20) if cuda else (128, 2, 5)

    def batch(generator: torch.Generator) -> Batch:
        text = 1 + tokens(generator, vocabulary - 1, size, length)
        lengths = torch.randint(length // 3, length + 1, (size, 1), generator=generator)
        text[torch.arange(length) >= lengths] = 0
        return text, torch.randint(classes, (size,), generator=generator)

    return Task(Encoder(vocabulary, width, depth, classes), batches(batch), adamw)


class Speech(nn.Module):
    """Convolutions over a spectrogram, a bidirectional GRU, the CTC loss (as in DeepSpeech 2)."""

    def __init__(self, bands: int, width: int, hidden: int, letters: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv1d(bands, width, 11, 2, padding=5), nn.BatchNorm1d(width), nn.ReLU()),
            *(nn.Conv1d(width, width, 11, padding=5), nn.BatchNorm1d(width), nn.ReLU()),
        )
        self.gru = nn.GRU(width, hidden, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * hidden, letters)

    def forward(self, sound: Tensor, text: Tensor, frames: Tensor, lengths: Tensor) -> Tensor:
        hidden, _ = self.gru(self.convolutions(sound).transpose(1, 2))
        scores = self.head(hidden).log_softmax(2).transpose(0, 1)
        return F.ctc_loss(scores, text, frames // 2, lengths, zero_infinity=True)


def ctc(cuda: bool) -> Task:
    """Transcribe speech: texts and recordings of unequal length."""
    bands, letters = (80, 32) if cuda else (20, 16)
    size, length, longest = (32, 800, 100) if cuda else (6, 96, 16)
    width, hidden = (384, 512) if cuda else (48, 64)

    def batch(generator: torch.Generator) -> Batch:
        sound = torch.randn(size, bands, length, generator=generator)
        text = torch.randint(1, letters, (size, longest), generator=generator)
        lengths = torch.randint(longest // 2, longest + 1, (size,), generator=generator)
        frames = torch.randint(length * 3 // 4, length + 1, (size,), generator=generator)
        frames[0] = length
        return sound, text, frames, lengths

    model = Speech(bands, width, hidden, letters)
    return Task(model, batches(batch), adamw, kept_on_cpu=(2, 3))


# Gathering and scattering


class GraphNetwork(nn.Module):
    """Message passing in plain PyTorch: gather by indexing, sum by scatter_add and index_add."""

    def __init__(self, atoms: int, bonds: int, width: int, depth: int) -> None:
        super().__init__()
        self.atoms, self.bonds = nn.Embedding(atoms, width), nn.Embedding(bonds, width)
        self.messages = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.updates = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth))
        self.head = nn.Linear(width, 1)

    def forward(
        self, atoms: Tensor, bonds: Tensor, edges: Tensor, graph: Tensor, target: Tensor
    ) -> Tensor:
        source, destination = edges
        x, bond = self.atoms(atoms), self.bonds(bonds)
        for message, update in zip(self.messages, self.updates):
            sent = F.relu(message(x)[source] + bond)
            index = destination[:, None].expand_as(sent)
            received = torch.zeros_like(x).scatter_add(0, index, sent)
            x = x + F.relu(update(torch.cat([x, received], dim=1)))
        pooled = x.new_zeros(len(target), x.shape[1]).index_add(0, graph, x)
        return F.smooth_l1_loss(self.head(pooled).squeeze(1), target)


def gnn(cuda: bool) -> Task:
    """Predict a number for each of many small graphs (molecules)."""
    graphs, nodes, degree = (2000, 25, 8) if cuda else (200, 20, 4)
    width, depth = (64, 3) if cuda else (32, 3)

    def batch(generator: torch.Generator) -> Batch:
        graph = torch.arange(graphs).repeat_interleave(nodes)
        source = torch.arange(graphs * nodes).repeat_interleave(degree)
        # Within the graph of the source.
        inside = torch.randint(nodes, (len(source),), generator=generator)
        edges = torch.stack([source, source - source % nodes + inside])
        atoms = tokens(generator, 30, len(graph))
        bonds = torch.randint(4, (len(source),), generator=generator)
        return atoms, bonds, edges, graph, torch.randn(graphs, generator=generator)

    return Task(GraphNetwork(30, 4, width, depth), batches(batch), adamw)


class Recommender(nn.Module):
    """Bags of categories and numbers to a click or none (as DLRM, without the interactions)."""

    def __init__(self, tables: int, rows: int, width: int, numbers: int, hidden: int) -> None:
        super().__init__()
        modes = ("sum", "mean")
        self.bags = nn.ModuleList(
            nn.EmbeddingBag(rows, width, mode=modes[table % 2]) for table in range(tables)
        )
        self.mlp = nn.Sequential(
            *(nn.Linear(tables * width + numbers, hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)),
        )

    def forward(
        self, categories: Tensor, offsets: Tensor, numbers: Tensor, clicks: Tensor
    ) -> Tensor:
        embedded = [bag(ids, offsets) for bag, ids in zip(self.bags, categories)]
        logits = self.mlp(torch.cat([*embedded, numbers], dim=1)).squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, clicks)


def embedding_bag(cuda: bool) -> Task:
    """Predict clicks from bags of categories, whose rows are chosen by Zipf's law."""
    tables, rows, width = (8, 100_000, 64) if cuda else (4, 5_000, 32)
    size, bag, hidden = (8192, 20, 1024) if cuda else (1024, 10, 128)

    def batch(generator: torch.Generator) -> Batch:
        return (
            tokens(generator, rows, tables, size * bag),
            torch.arange(0, size * bag, bag),
            torch.randn(size, 13, generator=generator),
            torch.randint(2, (size,), generator=generator).float(),
        )

    model = Recommender(tables, rows, width, 13, hidden)
    return Task(model, batches(batch), adamw)


MODELS: dict[str, Callable[[bool], Task]] = {
    "resnet": resnet,
    "unet": unet,
    "transformer": transformer,
    "lstm": lstm,
    "gnn": gnn,
    "embedding_bag": embedding_bag,
    "attention": attention,
    "ctc": ctc,
}
"""Name -> maker; it is told whether to make the size for CUDA or that for the CPU."""
