"""A convolutional network on noisy digits, loaded and augmented by two workers."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Bars at one of ten places, shifted and blurred with noise each time."""

    def __len__(self):
        return 192

    def __getitem__(self, index):
        image = torch.zeros(1, 28, 28)
        label = index % 10
        image[0, :, 2 * label + 2 : 2 * label + 5] = 1
        image = image.roll(random.randint(-2, 2), dims=1)
        return image + 0.3 * torch.randn(1, 28, 28), label


if __name__ == "__main__":
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout2d(0.25), nn.Flatten(), nn.Linear(2304, 64), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(2):
        for images, labels in DataLoader(Digits(), batch_size=32, shuffle=True, num_workers=2):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        print(f"epoch {epoch}: loss {loss.item():.6f}")
