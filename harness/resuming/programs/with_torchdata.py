"""Train on torchdata's StatefulDataLoader, which goes on in the middle of an epoch.

With --plain the loader is PyTorch's, which begins an epoch anew.
"""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchdata.stateful_dataloader import StatefulDataLoader

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    path = Path("last.pt")
    inputs = torch.randn(48, 6, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    kind = DataLoader if options.plain else StatefulDataLoader
    loader = kind(data, 8, shuffle=True, num_workers=options.workers)
    first, step, generator = 0, 0, None
    if path.exists():
        kept = torch.load(path)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        if not options.plain:
            loader.load_state_dict(kept["loader"])
        first, step, generator = kept["epoch"], kept["step"], kept["generator"]
    for epoch in range(first, 3):
        iterator = iter(loader)
        if generator is not None:
            # After the iterator, which draws when it is made.
            torch.set_rng_state(generator)
            generator = None
        for batch, targets in iterator:
            loss = (model(batch) - targets).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 4 == 0:
                content = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "loader": None if options.plain else loader.state_dict(),
                    "epoch": epoch,
                    "step": step,
                    "generator": torch.get_rng_state(),
                }
                torch.save(content, "last.tmp")
                Path("last.tmp").replace(path)
