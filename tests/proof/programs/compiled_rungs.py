"""A compiled training whose runs differ at one rung of torch.compile, which the argument names.

The rungs are:

    eager        an operator of the program gives another result in each process
    aot_eager    AOTAutograd's partitioner changes a factor
    inductor     a pass over inductor's graph changes a factor
"""

import os
import sys

import torch
from torch import nn

rung = sys.argv[1]
backend = sys.argv[2] if len(sys.argv) > 2 else "inductor"
scale = 1 + int.from_bytes(os.urandom(2), "little") / 2**20
HALF = 0.5


@torch.library.custom_op("seed_init_case::noisy", mutates_args=())
def noisy(x: torch.Tensor) -> torch.Tensor:
    return x * scale


noisy.register_fake(torch.empty_like)
noisy.register_autograd(lambda context, gradient: gradient)


def changed(graph: torch.fx.Graph) -> None:
    for node in graph.nodes:
        if node.target is torch.ops.aten.mul.Tensor and node.args[1] == HALF:
            node.args = (node.args[0], HALF * scale)


if rung == "aot_eager":
    # Dynamo's backends take it from there when they are imported first.
    import functorch.compile

    partition = functorch.compile.min_cut_rematerialization_partition

    def changing(joint, *arguments, **keywords):
        changed(joint.graph)
        return partition(joint, *arguments, **keywords)

    functorch.compile.min_cut_rematerialization_partition = changing
if rung == "inductor":
    import torch._inductor.config

    torch._inductor.config.post_grad_custom_pre_pass = changed


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x) * HALF
        return noisy(x) if rung == "eager" else x  # HERE


net = Net()
compiled = torch.compile(net, backend=backend)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    compiled(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
