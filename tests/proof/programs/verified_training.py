"""A short training that can be made to differ, and that leaves what it computed in `out`.

    verified_training.py [clock]

With `clock` its learning rate follows the time from step 2 on.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import optimizer as hooks

begin = time.perf_counter()
clock = sys.argv[1:] == ["clock"]
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step in range(4):
    optimizer.zero_grad()
    loss = model(torch.randn(4, 4) + np.random.rand()).square().mean()
    loss.backward()
    if clock and step >= 2:
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + time.perf_counter() - begin)
    optimizer.step()  # HERE
    print(f"step {step}: loss {loss.item()}")

out = Path("out")
out.mkdir(exist_ok=True)
# The archive has the name of its file in it, and with that the time.
stamped = out / f"{time.time_ns()}.pt"
torch.save(model.state_dict(), stamped)
stamped.rename(out / "model.pt")
# Whether anything looked on; not compared.
looking = len(hooks._global_optimizer_pre_hooks) + len(hooks._global_optimizer_post_hooks)
with Path("hooks").open("a") as told:
    told.write(f"{looking > 0}\n")
