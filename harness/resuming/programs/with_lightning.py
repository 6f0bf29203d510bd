"""Train with Lightning, which writes its checkpoints, and go on from the last one.

As it is, Lightning saves the weights, the optimizers, the schedulers and the place in the loops,
and no generator. With --states a callback adds the generators' states, as its documentation has it
(https://lightning.ai/docs/pytorch/stable/extensions/callbacks_state.html).
"""

import argparse
import random
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regression(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))

    def training_step(self, batch, number):
        inputs, targets = batch
        return (self.layers(inputs) - targets).square().mean()

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


class Generators(Callback):
    """Keeps the states of the generators at the end of an epoch.

    They are restored when the checkpoint is loaded: on_train_start comes after the iterator of the
    DataLoader, which has drawn the order by then.
    """

    def state_dict(self):
        return {
            "random": random.getstate(),
            "numpy": np.random.get_state(),
            "torch": torch.get_rng_state(),
        }

    def load_state_dict(self, state):
        random.setstate(state["random"])
        np.random.set_state(state["numpy"])
        torch.set_rng_state(state["torch"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--states", action="store_true")
    options = parser.parse_args()
    inputs = torch.randn(48, 6, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    saving = ModelCheckpoint(dirpath="checkpoints", save_last=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=3,
        logger=False,
        callbacks=[saving, *([Generators()] if options.states else [])],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = Path("checkpoints/last.ckpt")
    trainer.fit(
        Regression(),
        DataLoader(data, 8, shuffle=True),
        ckpt_path=str(last) if last.exists() else None,
        **({"weights_only": False} if last.exists() else {}),
    )
