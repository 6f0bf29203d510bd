"""Train for 51 steps, of which all but the first may not wait for the device."""

import torch

model = torch.nn.Sequential(
    torch.nn.Linear(64, 256), torch.nn.GELU(), torch.nn.Linear(256, 3)
).cuda()
odd = torch.nn.Parameter(torch.zeros(700_001, device="cuda", dtype=torch.bfloat16))
optimizer = torch.optim.AdamW([*model.parameters(), odd])
x = torch.randn(8, 64, device="cuda")


def step() -> None:
    optimizer.zero_grad()
    (model(x).square().mean() + odd.float().sum() * 0).backward()
    optimizer.step()


step()
torch.cuda.set_sync_debug_mode("error")
for _ in range(50):
    step()
torch.cuda.set_sync_debug_mode("default")
print("done")
