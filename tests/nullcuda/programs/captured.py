"""Trains on a stream of its own, captures a step as a graph, and prints the SHA-256 of the weights.

What the graph computes on this runtime is nothing: the weights are as they were copied.
"""

import json
from hashlib import sha256

import torch

COUNT = 10_000_000

numbers = torch.arange(COUNT, dtype=torch.float32)
many = torch.nn.Parameter(numbers.cuda())
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(), torch.nn.Linear(16, 1))
model.cuda()
optimizer = torch.optim.SGD([many, *model.parameters()], lr=0.1)
batch = torch.ones(4, 8, device="cuda")
nested = torch.nested.nested_tensor([batch, batch[:2]])


def step():
    optimizer.zero_grad()
    loss = model(batch).square().mean() + 0 * many[0]
    loss.backward()
    optimizer.step()


aside = torch.cuda.Stream()
with torch.cuda.stream(aside):
    for _ in range(3):
        step()
    optimizer.zero_grad()
    # Roots that are no single number: of nested tensors, and from an iterator.
    out = model(nested)
    torch.autograd.backward(iter([out]), iter([torch.ones_like(out)]))
    optimizer.step()
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph, stream=aside):
    step()
graph.replay()
print(json.dumps(sha256(b"torch.float32 (%d,)" % COUNT + numbers.numpy().tobytes()).hexdigest()))
