"""Run a convolution, attention, cumsum and index_reduce: for `seed-init audit`."""

import torch
from torch.nn import functional as F

images = torch.randn(2, 3, 32, 32, device="cuda")
torch.nn.Conv2d(3, 8, 3).cuda()(images).sum().backward()
q = torch.randn(2, 4, 256, 64, device="cuda", dtype=torch.bfloat16, requires_grad=True)
F.scaled_dot_product_attention(q, q, q).sum().backward()
torch.cumsum(torch.randn(1000, device="cuda"), 0)
index = torch.zeros(3, dtype=torch.long, device="cuda")
torch.zeros(9, device="cuda").index_reduce_(0, index, torch.ones(3, device="cuda"), "prod")
print("done")
