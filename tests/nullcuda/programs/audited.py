"""Calls operators of CUDA, those whose kernels vary and some that look like them."""

import torch
import torch.nn.functional as F

DEVICE = "cuda"
x = torch.zeros(4, 6, device=DEVICE)
flat = torch.zeros(24, device=DEVICE)
y = torch.zeros(10, device=DEVICE)
at = torch.zeros(3, dtype=torch.long, device=DEVICE)
source = torch.ones(3, device=DEVICE)
classes = torch.zeros(4, 2, 2, dtype=torch.long, device=DEVICE)


def leaf(*shape):
    return torch.zeros(*shape, device=DEVICE, requires_grad=True)


torch.cumsum(x, 1)
torch.cumsum(flat, 0)
torch.cumsum(at, 0)
torch.cumprod(flat, 0)
torch.logcumsumexp(x, 1)
y.index_reduce_(0, at, source, "prod")
y.index_add_(0, at, source)
y.scatter_(0, at, source, reduce="multiply")
torch.histc(y, 5)
F.interpolate(leaf(1, 1, 8, 8), scale_factor=2, mode="bilinear").sum().backward()
F.interpolate(leaf(1, 1, 8, 8), scale_factor=2, mode="bicubic").sum().backward()
F.pad(leaf(1, 2, 8), (1, 1), mode="replicate").sum().backward()
F.pad(leaf(1, 2, 8), (1, 1), mode="reflect").sum().backward()
F.nll_loss(leaf(4, 3, 2, 2), classes, reduction="none").sum().backward()
F.nll_loss(leaf(4, 3, 2, 2), classes).backward()
torch.take(leaf(10), at).sum().backward()
