"""The trace of real training programs: every step is seen, and nothing they compute changes.

`traced` runs each program without a trace as well, and compares what it prints: the bits of its
final weights.
"""

import shutil
import struct
import sysconfig
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

from .tracing import numbers, traced

pytestmark = pytest.mark.torch


def test_a_step_has_the_numbers_of_gradients_and_parameters_the_loss_and_the_generators(
    python: Path, tmp_path: Path
) -> None:
    found = traced(
        python,
        tmp_path,
        """
import struct, base64, random, numpy.random
sys.path.insert(0, os.environ["REPOSITORY"])
from seed_init.proof.observer.tensors.fingerprints import number
model = net(4, 8, 3)
model.append(nn.BatchNorm1d(3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
told, start = [], [number(each) for each in model.parameters()]
for step in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(5, 4)).square().sum()
    loss.backward()
    if step == 1:
        model[0].bias.grad = None
    gradients = [1 if each.grad is None else number(each.grad) for each in model.parameters()]
    optimizer.step()
    held = [number(each) for each in [*model.parameters(), *model.buffers()]]
    told.append([gradients, held, loss.item()])
print(json.dumps([start, told, [name for name, _ in model.named_parameters()],
                  [name for name, _ in model.named_buffers()]]))
""",
        env={"REPOSITORY": str(REPOSITORY)},
    )
    start, told, names, buffers = found.answer

    (first,) = found.main.of("start")
    # Buffers have changed in the forward pass by then.
    assert [each % 2**64 for each in numbers(first["parameters"])][: len(names)] == start
    assert found.names() == names + buffers
    assert found.names("gradients") == names
    steps = found.steps()
    assert [step["call"] for step in steps] == [0, 1, 2]
    for step, (gradients, held, loss) in zip(steps, told):
        assert [each % 2**64 for each in numbers(step["gradients"])] == gradients
        assert [each % 2**64 for each in numbers(step["parameters"])] == held
        assert step["loss"] == [[loss, struct.pack(">d", loss).hex()]]
        assert set(step["rng"]) == {"random", "numpy", "torch"}
    assert len({step["rng"]["torch"] for step in steps}) == 3
    assert len({step["rng"]["numpy"] for step in steps}) == 1


def test_two_optimizers_that_take_turns(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
generator, critic = net(2, 8, 4), net(4, 8, 1)
class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = critic
    def forward(self, x):
        return self.body(x)
critic = Critic()
first = torch.optim.Adam(critic.parameters())
second = torch.optim.RMSprop(generator.parameters())
for step in range(4):
    first.zero_grad()
    fake = generator(torch.randn(6, 2))
    (critic(fake.detach()).mean() - critic(torch.randn(6, 4)).mean()).backward()
    first.step()
    if step % 2:
        second.zero_grad()
        (-critic(fake).mean()).backward()
        second.step()
print(json.dumps(digest(generator, critic)))
""",
    )

    order = [(step["optimizer"], step["call"]) for step in found.steps()]
    assert order == [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1)]
    assert found.names(optimizer=0) == [
        f"body.{place}.{kind}" for place in (0, 2) for kind in ("weight", "bias")
    ]
    assert found.names(optimizer=1)[0] == "0.weight"
    assert all(len(step["loss"]) == 1 for step in found.steps())


def test_accumulated_gradients_and_skipped_steps(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(4, 8, 2)
optimizer = torch.optim.AdamW(model.parameters())
scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
for step in range(6):
    loss = model(torch.randn(3, 4)).square().mean()
    if step == 3:
        loss = loss * torch.inf
    scaler.scale(loss).backward()
    if step % 2:
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
print(json.dumps(digest(model)))
""",
    )

    assert [step["call"] for step in found.steps()] == [0, 1]
    # The losses of the skipped step belong to the one that follows.
    assert [len(step["loss"]) for step in found.steps()] == [2, 4]
    assert found.steps()[1]["loss"][1][0] == "inf"


def test_a_closure_that_computes_the_gradients(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(3, 5, 1)
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
x, y = torch.randn(10, 3), torch.randn(10, 1)
def closure():
    optimizer.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    return loss
for _ in range(3):
    optimizer.step(closure)
plain = torch.optim.SGD(model.parameters(), lr=0.1)
def gradient():
    plain.zero_grad()
    return closure()
plain.step(closure=gradient)
print(json.dumps(digest(model)))
""",
    )

    assert [step["call"] for step in found.steps(0)] == [0, 1, 2]
    assert all(len(step["loss"]) > 1 for step in found.steps(0))
    (last,) = found.steps(1)
    assert 1 not in numbers(last["gradients"])  # none is missing


def test_an_optimizer_in_the_backward_pass(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(4, 8, 8, 2)
optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}
def step(parameter):
    optimizers[parameter].step()
    optimizers[parameter].zero_grad()
for parameter in model.parameters():
    parameter.register_post_accumulate_grad_hook(step)
for _ in range(3):
    model(torch.randn(5, 4)).square().mean().backward()
print(json.dumps([digest(model), [name for name, _ in model.named_parameters()]]))
""",
    )

    assert len(found.steps()) == 18
    assert [found.names(optimizer=number) for number in range(6)] == [
        [name] for name in found.answer[1]
    ]
    assert sum(len(step["loss"]) for step in found.steps()) == 3


def test_tied_sparse_complex_bool_and_bf16_tensors_and_nested_roots_of_an_iterator(
    python: Path, tmp_path: Path
) -> None:
    found = traced(
        python,
        tmp_path,
        """
class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 6, sparse=True)
        self.head = nn.Linear(6, 20, bias=False)
        self.out = nn.Linear(6, 20, bias=False)
        self.out.weight = self.head.weight
        self.turn = nn.Parameter(torch.randn(6, dtype=torch.complex64))
        self.coarse = nn.Parameter(torch.randn(6, 7).bfloat16())
        self.one = nn.Parameter(torch.randn(()))
        self.register_buffer("mask", torch.rand(20) > 0.5)
        self.register_buffer("nothing", None)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
    def forward(self, x):
        self.calls += 1
        self.mask[int(self.calls) % 20] ^= True
        h = self.words(x)
        h = (h * self.turn).abs() + (h.bfloat16() @ self.coarse @ self.coarse.t()).float()
        return (self.head(h) + self.out(h)).relu_().masked_fill(self.mask, 0) * self.one
model = Mixed()
sparse = torch.optim.SparseAdam(model.words.parameters())
dense = torch.optim.Adam([p for n, p in model.named_parameters() if "words" not in n])
for _ in range(3):
    sparse.zero_grad(); dense.zero_grad()
    model(torch.randint(20, (8,))).square().mean().backward()
    sparse.step(); dense.step()
dense.zero_grad()
nested = torch.nested.nested_tensor([torch.ones(1, 6)])
out = nn.functional.linear(nested, model.head.weight[:1])
torch.autograd.backward(iter([out, model.one * 2]), iter([torch.ones_like(out), None]))
dense.step()
print(json.dumps(digest(model)))
""",
    )

    assert found.names(optimizer=1) == [
        *("turn", "coarse", "one", "head.weight"),
        *("mask", "nothing", "calls"),
    ]
    table = found.main.of("tensors")[0]
    assert table["dtypes"] == ["float32", "bool", None, "int64"]
    *steps, last = found.steps(1)
    assert [value is None for value, _ in last["loss"]] == [True, False]
    for place in (0, 1, 2, 3, 4, 6):
        assert len({numbers(step["parameters"])[place] for step in steps}) == 3
    assert len({step["gradients"] for step in found.steps(0)}) == 3


def test_parameters_that_are_frozen_added_and_replaced_on_the_way(
    python: Path, tmp_path: Path
) -> None:
    found = traced(
        python,
        tmp_path,
        """
import copy, pickle
model = net(4, 8, 8, 2)
optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9)
def train(model, optimizer):
    optimizer.zero_grad()
    model(torch.randn(5, 4)).square().mean().backward()
    optimizer.step()
train(model, optimizer)
optimizer.add_param_group({"params": list(model[2].parameters()), "lr": 0.01})
train(model, optimizer)
model[0].requires_grad_(False)
model[0].weight.grad = model[0].bias.grad = None
train(model, optimizer)
both = copy.deepcopy((model, optimizer))
train(*both)
third, fourth = pickle.loads(pickle.dumps((model, optimizer)))
train(third, fourth)
restored = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters()}])
restored.load_state_dict(optimizer.state_dict())
train(model, restored)
print(json.dumps(digest(model, both[0], third)))
""",
    )

    order = [(step["optimizer"], step["call"]) for step in found.steps()]
    assert order == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (3, 0)]
    tables = [each for each in found.main.of("tensors") if each["kind"] == "gradients"]
    assert [len(each["names"]) for each in tables[:3]] == [2, 4, 4]
    assert tables[2]["shapes"] == [None, None, [8, 8], [8]]
    for optimizer in (1, 2, 3):
        assert found.names("gradients", optimizer) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    # The copies go on from the same weights.
    starts = [event["parameters"] for event in found.main.of("start")]
    assert starts[1] == starts[2] == starts[3]


def test_an_optimizer_of_two_models_names_both(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
import itertools
class Encoder(nn.Linear): pass
class Other(nn.Linear): pass
unused = net(3, 3)
first, second, third = Encoder(3, 3), Other(3, 3), Encoder(3, 3)
loose = torch.zeros(3, requires_grad=True)
parts = [third.parameters(), second.parameters(), first.parameters(), [loose]]
optimizer = torch.optim.SGD(itertools.chain(*parts), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    (third(second(first(torch.randn(2, 3)))) + loose).sum().backward()
    optimizer.step()
print(json.dumps(digest(first, second, third)))
""",
    )

    assert found.names() == [
        *("Encoder[0].weight", "Encoder[0].bias", "Other.weight", "Other.bias"),
        *("Encoder[1].weight", "Encoder[1].bias", "group 0, parameter 6"),
    ]


def test_modes_profilers_and_devices_of_the_program(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
model = net(4, 8, 2).double()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
seen = {"function": 0, "dispatch": 0}
class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        seen["function"] += 1
        return function(*args, **(kwargs or {}))
class Dispatches(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        seen["dispatch"] += 1
        return function(*args, **(kwargs or {}))
def train():
    optimizer.zero_grad()
    model(torch.randn(5, 4, dtype=torch.float64)).square().mean().backward()
    optimizer.step()
with Functions(), Dispatches(), FlopCounterMode(display=False) as flops:
    train()
seen["flops"] = flops.get_total_flops()
with torch.profiler.profile() as profile:
    train()
seen["profiled"] = [e.key for e in profile.key_averages() if e.key.startswith("Optimizer")]
torch.set_default_device("meta")
optimizer.zero_grad()
model(torch.randn(5, 4, dtype=torch.float64, device="cpu")).mean().backward()
optimizer.step()
torch.set_default_device(None)
with torch.autocast("cpu", dtype=torch.bfloat16):
    train()
torch.use_deterministic_algorithms(True)
train()
with torch.autograd.detect_anomaly(), torch.autograd.graph.save_on_cpu():
    train()
model(torch.randn(5, 4, dtype=torch.float64)).sum().backward()
with torch.inference_mode():
    pass
with torch.no_grad():
    optimizer.step()
assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
print(json.dumps([digest(model), seen]))
""",
    )

    assert len(found.steps()) == 7
    assert found.answer[1]["flops"] > 0


def test_a_strict_level_stops_no_step(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(40, 80, 2)
optimizer = torch.optim.AdamW(model.parameters())
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(5, 40)).square().mean().backward()
    optimizer.step()
print(json.dumps(digest(model)))
""",
        env={"DETERMINISM": "strict"},
    )

    assert len(found.steps()) == 2


def test_threads_that_train_at_the_same_time(python: Path, tmp_path: Path) -> None:
    source = """
import threading
models = [net(300, 300, 30), net(300, 300, 30)]
optimizers = [torch.optim.SGD(model.parameters(), lr=0.01) for model in models]
optimizers[0].step(); optimizers[1].step()  # numbers in this order, names known
def train(which):
    draw = torch.Generator().manual_seed(which)
    for _ in range(30):
        optimizers[which].zero_grad()
        models[which](torch.randn(5, 300, generator=draw)).square().mean().backward()
        optimizers[which].step()
threads = [threading.Thread(target=train, args=(which,)) for which in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(digest(*models)))
"""
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
    found = traced(python, tmp_path / "once", source)
    again = traced(python, tmp_path / "again", source)

    for number in (0, 1):
        one, two = found.steps(number), again.steps(number)
        assert len(one) == 31
        for key in ("gradients", "parameters", "loss"):
            assert [step[key] for step in one] == [step[key] for step in two]
        assert all(len(step["loss"]) == 1 for step in one[1:])


def test_a_fork_after_training_writes_a_file_of_its_own(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def train():
    optimizer.zero_grad()
    model(torch.randn(5, 4)).square().mean().backward()
    optimizer.step()
train(); train()
child = os.fork()
if child == 0:
    train()
    own = torch.optim.SGD(net(2, 2).parameters(), lr=0.1)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
train()
print(json.dumps(digest(model)))
""",
    )

    parent, child = found.processes
    assert [step["call"] for step in parent.of("step")] == [0, 1, 2]
    assert [step["call"] for step in child.of("step")] == [0]
    assert len(child.of("tensors")) == 2
    (start,) = child.of("start")
    assert start["parameters"] == parent.of("step")[1]["parameters"]
    final = [[one["optimizer"] for one in each.of("end")[0]["final"]] for each in found.processes]
    assert final == [[0], [1]]  # the other one is a copy of the parent's


def test_a_program_that_never_steps_or_takes_the_step_away(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
model = net(4, 8, 2)
for _ in range(1500):
    model(torch.randn(1, 4)).sum().backward()
class Odd(torch.optim.SGD):
    __hash__ = None
    def __eq__(self, other):
        raise TypeError("not to be compared")
odd = Odd(model.parameters(), lr=0.1)
odd.step(); odd.step()
plain = torch.optim.SGD(model.parameters(), lr=0.1)
kept = torch.optim.SGD.step
torch.optim.SGD.step = lambda self, closure=None: None
plain.step()
torch.optim.SGD.step = kept
plain.step()
meta = nn.Linear(3, 3, device="meta")
unreal = torch.optim.SGD(meta.parameters(), lr=0.1)
meta(torch.ones(1, 3, device="meta")).sum().backward()
unreal.step()
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    fake = nn.Linear(3, 3)
    unreal = torch.optim.SGD(fake.parameters(), lr=0.1)
    fake(torch.ones(1, 3)).sum().backward()
    unreal.step()
plain.step()
print(json.dumps(digest(model)))
""",
    )

    order = [(step["optimizer"], step["call"]) for step in found.steps()]
    assert order == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0), (1, 1)]
    assert len(found.steps()[0]["loss"]) == 1000
    assert set(numbers(found.steps(2)[0]["parameters"])) == {1}


COMPILED = """
import torch._dynamo.utils as dynamo
backend, what = BACKEND, WHAT
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = net(8, 16, 4)
        self.norm = nn.BatchNorm1d(4)
    def forward(self, x):
        return self.norm(self.body(x)).square().mean()
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01))
def step():
    optimizer.step()
called = torch.compile(model, backend=backend) if what == "model" else model
stepping = torch.compile(step, backend=backend) if what == "optimizer" else step
def train(x):
    optimizer.zero_grad()
    called(x).backward()
    stepping()
if what == "train":
    train = torch.compile(train, backend=backend)
for _ in range(4):
    train(torch.randn(6, 8))
stats = dynamo.counters["stats"]
print(json.dumps([digest(model), stats["unique_graphs"], stats["calls_captured"]]))
"""


@pytest.mark.parametrize(
    ("what", "backend"),
    [("model", "inductor"), ("optimizer", "eager"), ("train", "aot_eager")],
)
def test_what_is_compiled_is_the_same_with_and_without(
    python: Path, tmp_path: Path, backend: str, what: str
) -> None:
    source = f"BACKEND, WHAT = {backend!r}, {what!r}\n{COMPILED}"
    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler for inductor")
    found = traced(python, tmp_path, source, env={"CPATH": sysconfig.get_path("include")})

    assert found.answer[1] >= 1
    if what == "model":
        assert len(found.steps()) == 4
        assert found.names()[0] == "body.0.weight"
        assert "norm.running_mean" in found.names()


def test_lightning(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
import logging, warnings
warnings.simplefilter("ignore")
import lightning
class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = net(4, 8, 1)
    def training_step(self, batch, _):
        return (self.body(batch[0]) - batch[1]).square().mean()
    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters())
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]
data = torch.utils.data.TensorDataset(torch.randn(24, 4), torch.randn(24, 1))
model = Model()
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=8, shuffle=True))
print(json.dumps([digest(model), [name for name, _ in model.named_parameters()]]))
""",
    )

    assert [step["call"] for step in found.steps()] == list(range(6))
    assert found.names() == found.answer[1]
    assert all(len(step["loss"]) == 1 for step in found.steps())


def test_accelerate_and_the_trainer_of_transformers(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
import accelerate, transformers
model = net(4, 8, 1)
optimizer = torch.optim.Adam(model.parameters())
data = torch.utils.data.DataLoader(torch.randn(12, 4), batch_size=4, shuffle=True)
accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
model, optimizer, data = accelerator.prepare(model, optimizer, data)
for batch in data:
    with accelerator.accumulate(model):
        accelerator.backward(model(batch).square().mean())
        optimizer.step()
        optimizer.zero_grad()
config = transformers.GPT2Config(vocab_size=30, n_positions=8, n_embd=8, n_layer=1, n_head=2)
gpt = transformers.GPT2LMHeadModel(config)
tokens = torch.randint(30, (8, 8))
texts = [{"input_ids": row, "labels": row} for row in tokens]
arguments = transformers.TrainingArguments("out", max_steps=3, per_device_train_batch_size=4,
    report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True)
transformers.Trainer(gpt, arguments, train_dataset=texts).train()
print(json.dumps([digest(model, gpt), [name for name, _ in gpt.named_parameters()]]))
""",
        env={"HF_HUB_OFFLINE": "1"},
    )

    assert [step["call"] for step in found.steps(0)] == [0, 1]
    last = max(step["optimizer"] for step in found.steps())
    assert len(found.steps(last)) == 3
    assert sorted(found.names("gradients", last)) == sorted(found.answer[1])


DISTRIBUTED = """
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode
dist.init_process_group("gloo")
model = net(4, 8, 2)
wrapped = WRAP
optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
rank = dist.get_rank()
counts = {}
class Collectives(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if "c10d" in name:
            counts[name] = counts.get(name, 0) + 1
        return function(*args, **(kwargs or {}))
draw = torch.Generator().manual_seed(rank)
calls = []
for name in ("all_reduce", "broadcast", "all_gather", "barrier", "all_gather_into_tensor"):
    def counted(*args, _name=name, _original=getattr(dist, name), **kwargs):
        calls.append(_name)
        return _original(*args, **kwargs)
    setattr(dist, name, counted)
for _ in range(3):
    optimizer.zero_grad()
    wrapped(torch.randn(5, 4, generator=draw)).square().mean().backward()
    with Collectives():
        optimizer.step()
# The number of every collective of this group so far.
number = dist.group.WORLD._get_backend(torch.device("cpu"))._get_sequence_number_for_group()
if rank == 0:
    print(json.dumps([counts, calls, number, FINAL]))
dist.destroy_process_group()
"""


def _torchrun(port: int) -> tuple[str, ...]:
    return ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port", str(port))


def _port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_ranks_write_a_file_each_and_no_collective_is_added(python: Path, tmp_path: Path) -> None:
    source = DISTRIBUTED.replace("WRAP", "nn.parallel.DistributedDataParallel(model)")
    found = traced(python, tmp_path, source.replace("FINAL", "digest(model)"), *_torchrun(_port()))

    assert found.answer[:2] == [{}, []]
    ranks = [each for each in found.processes if each.rank is not None and each.of("step")]
    assert sorted(each.rank or 0 for each in ranks) == [0, 1]
    one, two = (
        [(step["gradients"], step["parameters"]) for step in each.of("step")] for each in ranks
    )
    assert len(one) == 3
    assert one == two
    losses = [[step["loss"] for step in each.of("step")] for each in ranks]
    assert losses[0] != losses[1]
    for rank in ranks:
        (table,) = (each for each in rank.of("tensors") if each["kind"] == "gradients")
        assert table["names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_the_numbers_of_shards_add_up_to_those_without(python: Path, tmp_path: Path) -> None:
    # fully_shard computes nothing on a CPU in torch 2.6.0 (its streams have no record_event), so
    # that it shards here and the gradients come from a model that is whole.
    found = traced(
        python,
        tmp_path,
        """
import copy
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_tensor
dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (2,))
whole = net(5, 7, 3)
sharded = fully_shard(copy.deepcopy(whole), mesh=mesh)
optimizers = [torch.optim.Adam(model.parameters()) for model in (whole, sharded)]
for _ in range(3):
    whole.zero_grad()
    whole(torch.randn(4, 5)).square().mean().backward()
    for one, two in zip(whole.parameters(), sharded.parameters()):
        two.grad = distribute_tensor(one.grad, mesh, [Shard(0)])
    for optimizer in optimizers:
        optimizer.step()
if dist.get_rank() == 0:
    print(json.dumps(digest(whole)))
dist.destroy_process_group()
""",
        *_torchrun(_port()),
    )

    ranks = [each for each in found.processes if each.of("step")]
    assert len(ranks) == 2
    one, two = (
        [numbers(step["parameters"]) + numbers(step["gradients"]) for step in each.of("step")]
        for each in ranks
    )
    assert len(one) == 6
    for step in range(0, 6, 2):
        assert one[step] == two[step]
        assert [sum(pair) % 2**64 for pair in zip(one[step + 1], two[step + 1])] == [
            each % 2**64 for each in one[step]
        ]
    tables = ranks[0].of("tensors")
    assert {tuple(table["names"]) for table in tables} == {
        ("0.weight", "0.bias", "2.weight", "2.bias")
    }


def test_what_waits_on_a_device_comes_in_order_and_whole(python: Path, tmp_path: Path) -> None:
    # No device here: the CPU is taken for one, so that everything waits and is copied.
    source = """
if "SEED_INIT_TRACE" in os.environ:
    from seed_init.proof.observer.tensors import pending
    pending.is_elsewhere = lambda held: PRETEND
    pending.BATCH = 4
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(11):
    optimizer.zero_grad()
    model(torch.randn(5, 4)).square().mean().backward()
    (model(torch.randn(5, 4)) * 3).backward(torch.ones(5, 2))
    optimizer.step()
print(json.dumps(digest(model)), flush=True)
if PRETEND:
    os._exit(0)  # which writes no end, but what waits
"""
    (tmp_path / "device").mkdir()
    (tmp_path / "cpu").mkdir()
    plan = {"instruments": ["steps", "end"]}
    device = traced(python, tmp_path / "device", source.replace("PRETEND", "True"), plan=plan)
    cpu = traced(python, tmp_path / "cpu", source.replace("PRETEND", "False"), plan=plan)

    assert device.main.of("end") == []
    assert device.main.events == [event for event in cpu.main.events if event["event"] != "end"]
    assert [step["call"] for step in device.steps()] == list(range(11))
    assert all(len(step["loss"]) == 2 for step in device.steps())
    assert all(step["loss"][1][0] is None for step in device.steps())


def test_nothing_is_read_from_a_device_within_a_step(python: Path, tmp_path: Path) -> None:
    found = traced(
        python,
        tmp_path,
        """
read = []
if "SEED_INIT_TRACE" in os.environ:
    from seed_init.proof.observer.tensors import pending
    pending.is_elsewhere = lambda held: True
    copy, begun = pending.Pending._copy, []
    pending.Pending._copy = lambda self: (begun.append(1), copy(self))[1]
    # What waits for a device: these, and every operation that returns a Python number.
    for name in ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "cpu", "numpy"):
        def watched(self, *arguments, _name=name, _original=getattr(torch.Tensor, name)):
            frame = sys._getframe(1)
            while frame and "proof.observer" not in frame.f_globals.get("__name__", ""):
                frame = frame.f_back
            # The wrapper of Optimizer.__init__ runs what is PyTorch's own.
            if frame and frame.f_code.co_name != "init" and not begun:
                read.append(_name)
            return _original(self, *arguments)
        setattr(torch.Tensor, name, watched)
model = net(4, 8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(9):
    optimizer.zero_grad()
    model(torch.randn(5, 4)).square().mean().backward()
    optimizer.step()
if "SEED_INIT_TRACE" in os.environ:
    assert not begun, "not a batch yet"
print(json.dumps(read))
""",
    )

    assert found.answer == []
    assert len(found.steps()) == 9
