"""A program with torch.compile: an audit must leave the graphs as they are."""

import torch
import torch._dynamo
from torch import nn

net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
compiled = torch.compile(net, backend="aot_eager")
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    compiled(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
print([parameter.sum().item() for parameter in net.parameters()], graphs)
