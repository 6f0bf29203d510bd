"""Mixed precision with GradScaler and accumulated gradients; the first scale is too large."""

import torch
from torch import nn

inputs = torch.randn(256, 16)
labels = (inputs.square().sum(dim=1) > 16).long()
model = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.SiLU(), nn.Linear(64, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
# The gradients of the first steps overflow: the scaler skips those steps and halves the scale.
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
for step in range(8):
    optimizer.zero_grad()
    for chosen in torch.randperm(256)[:64].split(16):
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen]) / 4
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    print(f"step {step}: loss {loss.item():.6f}, scale {scaler.get_scale():.0f}")
