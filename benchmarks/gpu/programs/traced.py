"""Time blocks of training steps with a trace and without, in turn.

    traced.py DIRECTORY BLOCKS STEPS

The model has 100 million parameters in bfloat16. A block has as many steps as a trace keeps on the
device before it copies them, so that the copy is in the measurement. Prints the parameters and the
milliseconds of a step of each block.
"""

import json
import sys
from typing import Any

import torch
from torch.optim import optimizer as optimizers

DIRECTORY, BLOCKS, STEPS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, DIRECTORY)

from models import LanguageModel  # noqa: E402

VOCABULARY, LENGTH, WIDTH, HEADS, DEPTH, SIZE = 5376, 1024, 1024, 16, 7, 8

model = LanguageModel(VOCABULARY, LENGTH, WIDTH, HEADS, DEPTH).cuda().bfloat16()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
text = torch.randint(VOCABULARY, (SIZE, LENGTH + 1), device="cuda")

hooks = optimizers._global_optimizer_pre_hooks, optimizers._global_optimizer_post_hooks
kept = [dict(each) for each in hooks]
backward: Any = torch.autograd.backward
if not all(kept):
    sys.exit("there is no trace")


def trace(on: bool) -> None:
    for hook, own in zip(hooks, kept):
        hook.clear()
        if on:
            hook.update(own)
    torch.autograd.backward = backward if on else backward.__wrapped__


def block() -> float:
    """Milliseconds of a step."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(text).backward()
        optimizer.step()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / STEPS


times: dict[bool, list[float]] = {False: [], True: []}
for on in (True, False):
    trace(on)
    block()
for number in range(2 * BLOCKS):
    # Pairs of changing order: what drifts hits both.
    on = (number + number // 2) % 2 == 1
    trace(on)
    times[on].append(round(block(), 4))
trace(True)
size = sum(each.numel() for each in model.parameters())
print(json.dumps({"parameters": size, "plain_ms": times[False], "traced_ms": times[True]}))
