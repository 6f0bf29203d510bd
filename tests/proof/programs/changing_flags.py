"""Train three steps, and change flags of torch in the second and after the last one."""

import torch
from torch import nn

model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    if step == 1:
        torch.backends.cudnn.benchmark = True  # FIRST
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
torch.use_deterministic_algorithms(False)  # LAST
