"""Which backward of attention is launched in each setting, told by the launches in the log.

python attention_settings.py LOG [SETTING...]; prints JSON.
"""

import contextlib
import json
import re
import sys
import threading
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

LOG = Path(sys.argv[1])
SETTINGS = {}
sdpa = F.scaled_dot_product_attention
aten = torch.ops.aten


def setting(run):
    SETTINGS[run.__name__] = run
    return run


def query(*batch, dtype=torch.bfloat16, device="cuda", leaf=True):
    shape = (*(batch or (2,)), 4, 256, 64)
    return torch.zeros(shape, device=device, dtype=dtype, requires_grad=leaf)


def step(q, **options):
    sdpa(q, q, q, **options).sum().backward()


def loss(q):
    return sdpa(q, q, q).sum()


@setting
def flash():
    step(query(), is_causal=True)


@setting
def efficient():
    step(query(dtype=torch.float32))


@setting
def more_splits_than_one_are_asked_for():
    """The program's own wish: it is obeyed, and warned of."""
    q = torch.zeros(2, 256, 4, 64, device="cuda")
    out = aten._efficient_attention_forward(q, q, q, None, None, None, None, None, 0.0, 0, True)
    given = (None, out[0], None, None, 256, 256, out[1], 0.0, out[2], out[3], 0, False)
    aten._efficient_attention_backward(q, q, q, q, *given, num_splits_key=2)


@setting
def the_operator_itself():
    q = query(leaf=False)
    given = aten._scaled_dot_product_flash_attention(q, q, q)
    out, logsumexp, start_q, start_k, max_q, max_k, seed, offset, _ = given
    heads = [each.transpose(1, 2) for each in (out, q, q, q, out)]
    sizes = (logsumexp, start_q, start_k, max_q, max_k)
    aten._flash_attention_backward(*heads, *sizes, 0.0, False, seed, offset)


@setting
def autocast():
    q, linear = query(dtype=torch.float32), torch.nn.Linear(64, 64, device="cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = sdpa(linear(q), linear(q), linear(q))
    out.sum().backward()


@setting
def functorch_grad():
    torch.func.grad(loss)(query(leaf=False))


@setting
def functorch_vmap():
    torch.func.vmap(torch.func.grad(loss))(query(3, 2, leaf=False))


def nested(layout):
    rows = [torch.zeros(size, 256, device="cuda", dtype=torch.bfloat16) for size in (20, 30)]
    x = torch.nested.nested_tensor(rows, layout=layout, requires_grad=True)
    q = x.unflatten(-1, [4, 64]).transpose(1, 2)
    return sdpa(q, q, q)


@setting
def nested_jagged():
    nested(torch.jagged).values().sum().backward()


@setting
def checkpoint():
    from torch.utils.checkpoint import checkpoint

    checkpoint(lambda q: sdpa(q, q, q), query(), use_reentrant=False).sum().backward()


@setting
def graph():
    q, stream = query(), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        step(q)
    q.grad = None
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step(q)
    captured.replay()


@setting
def threads():
    """Each with a device of its own."""

    def run(device):
        for _ in range(20):
            step(query(device=device))

    started = [threading.Thread(target=run, args=(f"cuda:{each}",)) for each in (0, 1)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


@setting
def compiled():
    function = torch.compile(lambda q: sdpa(q, q, q, is_causal=True) * 2, backend="aot_eager")
    for size in (2, 3, 5):  # from the second size on it is a symbol
        function(query(size)).sum().backward()


@setting
def torchscript():
    @torch.jit.script
    def attention(q: torch.Tensor):
        return F.scaled_dot_product_attention(q, q, q)

    attention(query()).sum().backward()


@setting
def distributed():
    import torch.distributed as dist
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    mesh = init_device_mesh("cuda", (2,))
    step(distribute_tensor(query(4, leaf=False), mesh, [Shard(1)]).requires_grad_())


@setting
def with_the_algorithms_off():
    """The program says so: attention is as PyTorch has it."""
    torch.use_deterministic_algorithms(False)
    step(query())
    torch.use_deterministic_algorithms(True, warn_only=True)


@setting
def with_errors():
    """As under strict, which is the program's own wish as well."""
    torch.use_deterministic_algorithms(True)
    step(query())
    torch.use_deterministic_algorithms(True, warn_only=True)


def kinds(text):
    """What was launched: FlashAttention's first kernel has another template argument, and
    memory-efficient attention a grid of more than one split."""
    found = set()
    for name, splits in re.findall(r"kernel (\S+) <<<(\d+),", text):
        if "flash_bwd_dot_do_o_kernelILb" in name:
            found.add("flash varies" if "dot_do_o_kernelILb1" in name else "flash")
        if "fmha_cutlassB" in name:
            found.add("efficient varies" if int(splits) > 1 else "efficient")
    return sorted(found)


def observed(run):
    before = LOG.stat().st_size if LOG.exists() else 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    with LOG.open() as file:
        file.seek(before)
        launched = kinds(file.read())
    told = {str(each.message).partition(".")[0] for each in caught}
    return launched, sorted(each for each in told if "determin" in each)


def choices():
    """The backend that is taken, by itself and where cuDNN is asked for."""
    q, asked = query(leaf=False), [SDPBackend.CUDNN_ATTENTION]
    by_itself = SDPBackend(torch._fused_sdp_choice(q, q, q)).name
    with sdpa_kernel(asked):
        return by_itself, SDPBackend(torch._fused_sdp_choice(q, q, q)).name


def registered():
    return torch._C._dispatch_has_kernel_for_dispatch_key(
        "aten::_flash_attention_backward", "BackendSelect"
    )


told = {"cudnn": torch.backends.cuda.cudnn_sdp_enabled(), "started": torch.cuda.is_initialized()}
told["before"] = registered()
# What the program itself queues may raise: then CUDA starts again, with all that is queued.
failures = ["not yet"]
torch.cuda._lazy_call(lambda: failures and torch.device(failures.pop()))
with contextlib.suppress(torch.cuda.DeferredCudaCallError):
    torch.cuda.init()
torch.set_warn_always(True)
torch.use_deterministic_algorithms(True, warn_only=True)
told["choices"] = choices()
told["after"] = registered()
told["settings"] = {name: observed(SETTINGS[name]) for name in sys.argv[2:] or SETTINGS}
module = sys.modules.get("seed_init.libraries.torch_attention")
told["registrations"] = len(getattr(module, "_libraries", ()))
told["warn only"] = torch.is_deterministic_algorithms_warn_only_enabled()
print(json.dumps(told))
