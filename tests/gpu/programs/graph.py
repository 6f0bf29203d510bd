"""Train with dropout by replaying a CUDA graph of one step; print losses, a mask, the weights.

    graph.py DEVICE [CODE]

CODE is run after the import of torch: a user's own seeding. On the CPU, which has no graphs, the
same steps are run one by one.
"""

import hashlib
import json
import sys

import torch
from torch import nn

DEVICE = sys.argv[1]
exec(" ".join(sys.argv[2:]))
STEPS = 6


def main():
    data = torch.randn(STEPS, 32, 16, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 1)).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch, mask = data[0].clone(), torch.zeros(64, device=DEVICE)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
        mask.copy_(nn.functional.dropout(torch.ones_like(mask)))
        return loss

    replay, loss = captured(step) if DEVICE != "cpu" else (step, None)
    losses, masks = [], []
    for each in data:
        batch.copy_(each)
        out = replay()
        losses.append((loss if out is None else out).item())
        masks.append("".join("01"[each > 0] for each in mask.tolist()))
    weights = b"".join(each.detach().cpu().numpy().tobytes() for each in model.parameters())
    told = {"losses": losses, "masks": masks, "weights": hashlib.sha256(weights).hexdigest()}
    print(json.dumps(told))


def captured(step):
    """A step as a graph, and the tensor in which each replay leaves its loss."""
    # Not on the default stream, and some steps first (the notes on CUDA, "CUDA Graphs").
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    return graph.replay, loss


main()
