"""Train a small network with the Lightning Trainer; two workers add noise to the data."""

import hashlib
import json
import tempfile

import lightning
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)


class Noisy(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        noise = np.random.normal(scale=0.1, size=8)
        return torch.tensor(np.sin(index + np.arange(8)) + noise, dtype=torch.float32), index % 4


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
        self.losses = []

    def training_step(self, batch, _):
        inputs, labels = batch
        loss = nn.functional.cross_entropy(self.layers(inputs), labels)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


if __name__ == "__main__":
    model = Classifier()
    with tempfile.TemporaryDirectory() as directory:
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=directory,
        )
        trainer.fit(model, DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2))
    weights = b"".join(value.detach().numpy().tobytes() for value in model.parameters())
    result = {"losses": model.losses, "weights": hashlib.sha256(weights).hexdigest()}
    print(json.dumps({"result": result}))
