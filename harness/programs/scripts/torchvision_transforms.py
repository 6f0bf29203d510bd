"""Augment an image with torchvision, by the classic transforms and by the newer ones."""

import hashlib
import json

import torch
from torchvision import transforms
from torchvision.transforms import v2

torch.set_num_threads(1)
image = torch.arange(3 * 48 * 48, dtype=torch.uint8).reshape(3, 48, 48)
classic = transforms.Compose(
    [
        transforms.ToPILImage(),
        transforms.RandomResizedCrop(32),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.4, 0.1),
        transforms.ToTensor(),
        transforms.RandomErasing(p=0.5),
    ]
)
newer = v2.Compose(
    [
        v2.RandAugment(),
        v2.RandomAffine(degrees=15, translate=(0.1, 0.1)),
        v2.RandomPhotometricDistort(),
        v2.ToDtype(torch.float32, scale=True),
        v2.GaussianNoise(),
    ]
)
pixels = b"".join(
    transform(image).numpy().tobytes() for transform in (classic, newer) for _ in range(6)
)
print(json.dumps({"result": hashlib.sha256(pixels).hexdigest()}))
