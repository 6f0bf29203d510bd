"""Train with Accelerate: `save_state` after each epoch, and `load_state` where there is one."""

from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

accelerator = Accelerator(cpu=True)
inputs = torch.randn(48, 6, generator=torch.Generator().manual_seed(1))
data = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), 8, shuffle=True)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
model, optimizer, data, scheduler = accelerator.prepare(model, optimizer, data, scheduler)
first = 0
done = Path("checkpoint/epoch")
if done.exists():
    accelerator.load_state("checkpoint")
    first = int(done.read_text())
for epoch in range(first, 3):
    data.set_epoch(epoch)
    for batch, targets in data:
        loss = (model(batch) - targets).square().mean()
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        scheduler.step()
    accelerator.save_state("checkpoint")
    done.write_text(str(epoch + 1))
