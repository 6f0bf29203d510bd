"""Compile a model of odd sizes in half precision; print a digest of its gradients."""

import hashlib

import torch

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(1021, 4093), torch.nn.GELU(), torch.nn.Linear(4093, 1019)
)
model = model.cuda().half()
x = torch.randn(777, 1021, device="cuda").half()
torch.compile(model)(x).float().square().mean().backward()
content = b"".join(each.grad.cpu().numpy().tobytes() for each in model.parameters())
print(hashlib.sha256(content).hexdigest()[:12])
