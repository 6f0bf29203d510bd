"""Augment an image for segmentation with Albumentations."""

import hashlib
import json

import albumentations
import numpy as np

rows, columns = np.mgrid[0:64, 0:64]
image = np.stack([rows * 4, columns * 4, (rows + columns) * 2], axis=2).astype(np.uint8)
mask = ((rows - 32) ** 2 + (columns - 32) ** 2 < 400).astype(np.uint8)
augment = albumentations.Compose(
    [
        albumentations.RandomCrop(height=48, width=48),
        albumentations.HorizontalFlip(p=0.5),
        albumentations.Affine(rotate=(-20, 20), p=0.8),
        albumentations.RandomBrightnessContrast(p=0.8),
        albumentations.GaussNoise(p=0.8),
        albumentations.CoarseDropout(p=0.5),
    ]
)
digests = []
for _ in range(12):
    augmented = augment(image=image, mask=mask)
    pixels = augmented["image"].tobytes() + augmented["mask"].tobytes()
    digests.append(hashlib.sha256(pixels).hexdigest()[:16])
print(json.dumps({"result": digests}))
