"""Train for three epochs with forked workers, on a device that lags behind the program.

Copies are under way when the workers of the next epoch are forked: 120 steps.
"""

import torch
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(160, 64), torch.randn(160, 1))
model = torch.nn.Sequential(
    torch.nn.Linear(64, 8192), torch.nn.Linear(8192, 8192), torch.nn.Linear(8192, 1)
).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
heat = torch.randn(8192, 8192, device="cuda")
for _ in range(3):
    for x, y in DataLoader(data, batch_size=4, shuffle=True, num_workers=2):
        for _ in range(4):
            heat = heat @ heat / 100
        optimizer.zero_grad()
        (model(x.cuda()) - y.cuda()).square().mean().backward()
        optimizer.step()
print("done")
