"""What PyTorch's operators compute under level portable, as JSON: name of a fact -> fact."""

import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from seed_init.libraries import torch_onednn

warnings.simplefilter("ignore")
torch.manual_seed(1)
facts: dict[str, Any] = {}


def complexes(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex64)


def same(one: Tensor, other: Tensor) -> bool:
    return one.dtype is other.dtype and torch.equal(one, other)


def by_ieee(x: Tensor, y: Tensor) -> Tensor:
    """Smith's division of complex numbers, as c10/util/complex.h has it, in steps of float32."""
    x, y = torch.broadcast_tensors(x, y)
    (a, b), (c, d) = (x.real, x.imag), (y.real, y.imag)
    is_first = c.abs() >= d.abs()
    large, small = torch.where(is_first, c, d), torch.where(is_first, d, c)
    ratio = small / large
    scale = 1 / (large + small * ratio)
    real = torch.where(is_first, a + b * ratio, a * ratio + b) * scale
    imaginary = torch.where(is_first, b - a * ratio, b * ratio - a) * scale
    return torch.complex(real, imaginary)


def division() -> None:
    alike = []
    for count in (*range(1, 36), 1003, 40001):
        x, y = complexes(count), complexes(count)
        out = torch.empty(0, dtype=torch.complex64)
        alike += [same(x / y, by_ieee(x, y)), same(torch.div(x, y, out=out), by_ieee(x, y))]
        alike += [same(x.clone().div_(y), by_ieee(x, y)), same(x / y[0], by_ieee(x, y[0]))]
        wide, tall = complexes(3, 2 * count), complexes(2 * count, 3)
        alike += [same(wide[:, ::2] / tall.T[:, 1::2], by_ieee(wide[:, ::2], tall.T[:, 1::2]))]
        alike += [same(x.conj() / y.conj(), by_ieee(x.conj().clone(), y.conj().clone()))]
    facts["complex64 is divided by IEEE operations"] = all(alike)
    x, y = complexes(300, 41), complexes(300, 41)
    alike = [same(torch.func.vmap(torch.div)(x, y), by_ieee(x, y))]
    compiled = torch.compile(lambda x, y: x / y, backend="aot_eager")
    alike += [same(compiled(x, y), by_ieee(x, y))]
    facts["and in vmap and a compiled function"] = all(alike)
    far = {}
    for name, operator in (
        ("div", torch.div),
        ("addcdiv", lambda x, y: torch.addcdiv(x, x, y, value=3)),
        ("atan", lambda x, y: torch.atan(x) * y),
        ("silu", lambda x, y: F.silu(x.detach()) + x * y),  # it has no backward for complex numbers
    ):
        far[name] = relative_error(operator, x, y)
    facts["relative errors"] = far
    real = torch.randn(4096)
    alike = [
        same(real.to(kind) / other, (real.to(kind).double() / other.double()).to(kind))
        for kind in (torch.float32, torch.bfloat16, torch.float16)
        for other in [torch.randn(4096).to(kind)]
    ]
    facts["real numbers are divided exactly"] = all(alike)


def relative_error(operator: Any, *arguments: Tensor) -> float:
    """The largest of an operator's results and of its gradients, against complex128."""
    found = []
    for kind in (torch.complex64, torch.complex128):
        inputs = [argument.detach().to(kind).requires_grad_() for argument in arguments]
        result = operator(*inputs)
        slope = torch.full_like(result, 1 + 2j)
        found.append([result, *torch.autograd.grad(result, inputs, slope)])
    # By the largest number of a pair: a part that is almost zero has a large error of its own.
    pairs = zip(*found, strict=True)
    return max(float(((one - other) / (other.abs() + 1)).abs().max()) for one, other in pairs)


def square_roots() -> None:
    numbers = torch.rand(40001, dtype=torch.float64) * 9 + 1e-3
    exact = [math.sqrt(number) for number in numbers.tolist()]
    facts["sqrt of float64 is rounded correctly"] = numbers.sqrt().tolist() == exact
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        some = numbers.to(kind)
        for view in (some, some[::3], some[:40000].view(200, 200).T):
            is_exact = same(view.sqrt(), view.double().sqrt().to(kind))
            facts.setdefault("sqrt of smaller types is rounded correctly", True)
            facts["sqrt of smaller types is rounded correctly"] &= is_exact


def factors() -> None:
    alike = []
    for size in (*range(1, 20), 129, 200):
        matrix = torch.randn(3, size, size)
        matrix = matrix @ matrix.mT + torch.eye(size)
        matrix = (matrix + matrix.mT) / 2
        wanted = torch.linalg.cholesky(matrix.double()).float()
        info = torch.empty(0, dtype=torch.int32)
        outs = (torch.empty(0), info)
        alike += [
            same(torch.linalg.cholesky(matrix), wanted),
            same(torch.linalg.cholesky(matrix.mT), wanted),
            same(torch.cholesky(matrix), wanted),
            same(torch.linalg.cholesky(matrix, upper=True), wanted.mT),
            same(torch.linalg.cholesky_ex(matrix, out=outs).L, wanted),
            same(outs[0], wanted) and info.tolist() == [0, 0, 0],
            same(torch.cholesky(matrix, out=torch.empty(0)), wanted),
            same(torch.func.vmap(torch.linalg.cholesky)(matrix), wanted),
        ]
        table = (torch.randn(size, size) + 9 * torch.eye(size)).tril()
        right = torch.randn(size, 9)
        solved = torch.triangular_solve(right, table.to_sparse_csr(), upper=False)[0]
        wide = (right.double(), table.double().to_sparse_csr())
        alike += [same(solved, torch.triangular_solve(*wide, upper=False)[0].float())]
    facts["float32 is factored in float64"] = all(alike)
    raw = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradcheck(factor_of_square, raw)
    narrow = raw.detach().float().requires_grad_()
    factor_of_square(narrow).sum().backward()
    (wide_slope,) = torch.autograd.grad(factor_of_square(raw).sum(), raw)
    facts["the gradient of a factor"] = check and torch.allclose(
        narrow.grad.double(), wide_slope, atol=1e-4, rtol=1e-4
    )
    try:
        torch.linalg.cholesky(-torch.eye(3))
    except torch.linalg.LinAlgError as error:
        facts["a matrix without a factor"] = str(error)
    with FakeTensorMode():
        facts["fake"] = type(torch.linalg.cholesky(torch.eye(3))).__name__
    facts["meta"] = str(torch.linalg.cholesky(torch.eye(3, device="meta")).device)


def factor_of_square(matrix: Tensor) -> Tensor:
    square = matrix @ matrix.mT + torch.eye(len(matrix), dtype=matrix.dtype)
    return torch.linalg.cholesky(square)


def least_squares() -> None:
    matrix, right = torch.randn(30, 30), torch.randn(30, 5)
    found, junk = set(), []
    for turn in range(200):
        junk.append(torch.full((30,), turn % 7, dtype=torch.int32))
        if turn % 3 == 0:
            junk.clear()
        found.add(digest(torch.linalg.lstsq(matrix, right).solution))
    facts["solutions of one least-squares problem"] = len(found)
    far = []
    for shape in ((20, 7), (7, 20)):
        matrix, right = torch.randn(3, *shape), torch.randn(3, shape[0], 2)
        done = torch.linalg.lstsq(matrix, right)
        wide = torch.linalg.lstsq(matrix.double(), right.double(), driver="gelss")
        far.append(float((done.solution - wide.solution).abs().max()))
        assert done.rank.tolist() == [7, 7, 7]
        assert done.residuals.shape == done.singular_values.shape == (0,)
    outs = (torch.empty(0), torch.empty(0), torch.empty(0, dtype=torch.int64), torch.empty(0))
    torch.linalg.lstsq(matrix, right, out=outs)
    assert torch.allclose(outs[0], done.solution, atol=1e-4)
    assert outs[1].shape == outs[3].shape == (0,)
    facts["errors of least squares"] = max(far)
    nothing = [torch.linalg.lstsq(matrix, right[..., :0], driver=name) for name in (None, "gelsy")]
    facts["a right side without columns"] = [list(done.solution.shape) for done in nothing]
    two = [x.double().requires_grad_() for x in (torch.randn(6, 4), torch.randn(6, 2))]
    facts["the gradient of least squares"] = torch.autograd.gradcheck(
        lambda a, b: torch.linalg.lstsq(a, b).solution, two
    )


def products() -> None:
    one = torch.randint(-128, 128, (64, 96), dtype=torch.int8)
    other = torch.randint(-128, 128, (96, 32), dtype=torch.int8)
    exact = (one.long() @ other.long()).int()
    out = torch.empty(64, 32, dtype=torch.int32)
    alike = [
        same(torch._int_mm(one, other), exact),
        same(torch._int_mm(one, other, out=out), exact),
    ]
    low = torch.full((1, 1 << 17), -128, dtype=torch.int8)
    alike += [torch._int_mm(low, low.mT).item() == -(1 << 31)]  # wraps around
    low = torch.full((1, 140_000), -128, dtype=torch.int8)
    alike += [torch._int_mm(low, low.mT).item() == 140_000 * (1 << 14) - (1 << 32)]
    facts["int8 is multiplied exactly"] = all(alike)
    facts["wrong products"] = [
        message_of(torch._int_mm, one, one),
        message_of(torch._int_mm, one[0], other),
        message_of(torch._int_mm, one, other, out=torch.empty(1, 32, dtype=torch.int32)),
    ]


def message_of(function: Callable[..., Any], *arguments: Tensor, **named: Tensor) -> str:
    try:
        function(*arguments, **named)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return "no error"


def convolutions() -> None:
    """One that adds in another order where the second cache has 256 KiB: on a machine that has such
    caches with the level and without, and here.

    oneDNN reads the sizes once: three processes.
    """
    elsewhere = (32 << 10, 256 << 10, 8 << 20)
    facts["a convolution of another machine"] = [
        in_child(convolution),
        in_child(lambda: (torch_onednn._pin(elsewhere), torch_onednn.choose(), convolution())[-1]),
        in_child(lambda: (torch_onednn._pin(elsewhere), convolution())[-1]),
    ]
    facts["oneDNN is used"] = torch.backends.mkldnn.enabled


def convolution() -> str:
    images = torch.randn(1, 512, 7, 7).to(memory_format=torch.channels_last)
    return digest(F.conv2d(images, torch.randn(48, 512, 3, 3), padding=1))


def in_child(function: Callable[[], str]) -> str:
    """What a function returns in a forked child, before any thread was started here."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        torch.manual_seed(1)
        os.write(writing, function().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as pipe:
        return pipe.read()


def digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


for part in (convolutions, division, square_roots, factors, least_squares, products):
    part()
print(json.dumps(facts))
