# SPDX-License-Identifier: Apache-2.0
"""Compute what machines compute differently, and print a digest of each result: an own program.

    python probe.py [LIBRARY ...] [-PROBE ...]

With a `-` before it stands what is left out, such as "-torch lstm".

The libraries run as they would in the user's program: under the variables of the environment, and
with what the hook sets. A library can crash, and may not end the process that asks. Each line of
JSON is printed at once, so that the last line says how far the program came.

Every input is made of whole numbers by operations whose results IEEE 754 prescribes to the last
bit. So every machine computes from the same bits: no generator makes an input, and no function of a
library that may round otherwise.
"""

import contextlib
import ctypes
import hashlib
import importlib
import json
import math
import os
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Results = Sequence[Any]
"""Arrays, tensors, or one list of numbers."""

Probes = dict[str, tuple[str, Callable[[], Results]]]
"""Name of a probe -> its kind, and the function that computes it."""


def main() -> None:
    """Print the results of all probes, and what each library has chosen."""
    here = str(Path(__file__).parent)
    # The modules beside this file are no modules of the user's libraries.
    sys.path[:] = [path for path in sys.path if path != here]
    warnings.simplefilter("ignore")
    left_out = {word[1:] for word in sys.argv[1:] if word.startswith("-")}
    for name in [word for word in sys.argv[1:] if word in LIBRARIES] or LIBRARIES:
        probes, digest, choices = LIBRARIES[name]
        tell("library", name=name)
        try:
            module = None if name == "python" else importlib.import_module(name)
            table = probes(module)
        except ImportError as error:
            tell("missing", library=name, why=first_line(error))
            continue
        except Exception as error:  # a library that is damaged, or too old for this Python
            why = f"{type(error).__name__}: {first_line(error)}"
            tell("missing", library=name, why=why)
            continue
        tell_row(name, "version", "version", version(module))
        for probe, (kind, function) in table.items():
            if f"{name} {probe}" in left_out:
                continue
            tell("probe", name=f"{name} {probe}")
            try:
                result = digest(function())
            except Exception as error:  # this release has no such function
                why = f"{type(error).__name__}: {first_line(error)}"
                tell("failed", library=name, probe=probe, why=why)
            else:
                tell_row(name, kind, probe, result)
        for what, choice in choices(module):
            tell("chosen", name=what, choice=choice)
    tell("end")


def tell(what: str, **values: Any) -> None:
    # A line of its own, after what a library has printed without ending its line.
    print("\n" + json.dumps({"what": what, **values}), flush=True)


def tell_row(library: str, kind: str, probe: str, result: str) -> None:
    tell("row", library=library, kind=kind, probe=probe, result=result)


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def version(module: Any) -> str:
    """The release of a library, or of Python where `module` is None.

    Patch releases of Python compute the same bits, and so do builds of one release.
    """
    if module is None:
        return "{}.{}".format(*sys.version_info)
    return str(module.__version__).partition("+")[0]


def short(pieces: Iterator[bytes]) -> str:
    """The first 48 bits of the SHA-256 of some bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()[:12]


# --- Python and the C library ---


def python_probes(module: None) -> Probes:
    """Python's own functions of real numbers, which are those of the C library."""
    within = numbers(1500)
    every, positive = [x * 8 for x in within], [(x + 1) * 4 for x in within]

    def each(*names: str, of: Sequence[float] = every) -> list[float]:
        return [getattr(math, name)(x) for name in names for x in of]

    table: Probes = {
        "exp": ("libm", lambda: each("exp", "expm1")),
        "log": ("libm", lambda: each("log", "log2", "log10", "log1p", of=positive)),
        "pow": ("libm", lambda: [math.pow(x, y) for x, y in zip(positive, every)]),
        "sin, cos, tan": ("libm", lambda: each("sin", "cos", "tan")),
        "asin, acos, atan": ("libm", lambda: each("asin", "acos", "atan", of=within)),
        "atan2": ("libm", lambda: [math.atan2(x, y) for x, y in zip(every, positive)]),
        "sinh, cosh, tanh": ("libm", lambda: each("sinh", "cosh", "tanh")),
        "gamma, erf": ("libm", lambda: each("lgamma", "erf", of=positive)),
        "sum": (
            "sum",
            lambda: [sum(x / y for x, y in zip(every, positive)), math.dist(every, positive)],
        ),
    }
    library = libm()
    if library is not None:
        table["float32"] = ("libm", lambda: single(library, positive))
    return table


def libm() -> Any:
    """The C library's functions of numbers, as Python has loaded the library; None if unknown."""
    with contextlib.suppress(OSError):
        return ctypes.CDLL("libm.so.6")
    return None


def single(library: Any, positive: Sequence[float]) -> list[float]:
    """The functions of 32 bits, which no function of Python's calls, but libraries do."""
    results = []
    for name in ("expf", "logf", "sinf", "cosf", "tanhf", "log1pf"):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
        results += [function(x) for x in positive[:500]]
    return results


def numbers(count: int) -> list[float]:
    """Multiples of 2 ** -41 between -1 and 1, as `array` makes them."""
    return [drawn(i) / 2**41 - 1 for i in range(1, count + 1)]


def drawn(i: Any) -> Any:
    """A number of 42 bits that looks as if it were drawn, or an array of such numbers.

    Shorter ones would not do: their products, and sums of these, would have no more bits than a
    double, and so would be the same in every order.
    """
    high = (i * 2654435761 + (i * i * 40503) % 65521) % 2097143
    return high * 2097152 + (i * 40503 + (i * i * 7919) % 65537 * 31) % 2097143


def digest_of_floats(results: Results) -> str:
    return short(iter([struct.pack(f"<{len(results)}d", *results)]))


def choices_of_python(module: None) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        yield "C library", str(os.confstr("CS_GNU_LIBC_VERSION"))


# --- NumPy and SciPy ---


def array(np: Any, *shape: int, kind: str = "float64", k: int = 0, low: float = -1.0) -> Any:
    """An array of multiples of 2 ** -41 from `low` to `low + 2`, rounded to the type.

    Args:
        np: NumPy.
        shape: of the array.
        kind: the name of its type.
        k: arrays with another number have other values.
        low: the least value.
    """
    i = np.arange(1, math.prod(shape) + 1, dtype=np.int64) + 7919 * k
    return (drawn(i).astype(np.float64) / 2**41 + low).astype(kind).reshape(shape)


def numpy_probes(np: Any) -> Probes:
    """NumPy's own loops, its BLAS and LAPACK, and its FFT."""
    wide, single = array(np, 9001) * 8, array(np, 9001, kind="float32") * 8
    positive = array(np, 9001, low=2.0**-20) * 4
    unit = array(np, 9001)
    left, right = array(np, 120, 150), array(np, 150, 170, k=1)
    square = array(np, 150, 150, k=2) / 128 + np.eye(150) * 4
    symmetric = square + square.T
    positive32 = positive.astype("float32")
    complex_ = unit + 1j * unit[::-1]

    def each(names: str, of: Any) -> list[Any]:
        return [getattr(np, name)(of) for name in names.split()]

    return {
        "exp": ("vector", lambda: [np.exp(wide)]),
        "log": ("vector", lambda: [np.log(positive)]),
        "sin, cos": ("vector", lambda: each("sin cos", wide)),
        "tan, sinh, tanh, cbrt, expm1": ("vector", lambda: each("tan sinh tanh cbrt expm1", wide)),
        "log2, log10, log1p": ("vector", lambda: each("log2 log10 log1p", positive)),
        "arcsin, arccos, arctan": ("vector", lambda: each("arcsin arccos arctan", unit)),
        "power, arctan2": ("vector", lambda: [np.power(positive, unit), np.arctan2(unit, wide)]),
        "float32 exp": ("vector", lambda: [np.exp(single)]),
        "float32 log": ("vector", lambda: [np.log(positive32)]),
        "float32 sin, cos": ("vector", lambda: each("sin cos", single)),
        "float32 tan, tanh, expm1, power": (
            "vector",
            lambda: [*each("tan tanh expm1", single), np.power(positive32, single)],
        ),
        "complex": (
            "complex",
            lambda: [complex_ * complex_[::-1], np.abs(complex_), np.exp(complex_)],
        ),
        "sum": ("sum", lambda: [unit.sum(), single.sum(), left.std(0), left.mean(1), unit.var()]),
        "matrix product": ("BLAS", lambda: [left @ right]),
        "float32 matrix product": (
            "BLAS",
            lambda: [left.astype("float32") @ right.astype("float32")],
        ),
        "dot, matrix times vector": (
            "BLAS",
            lambda: [unit @ wide, single @ single, left @ right[:, 0]],
        ),
        "solve, inverse": (
            "LAPACK",
            lambda: [np.linalg.solve(square, right), np.linalg.inv(square)],
        ),
        "cholesky, qr": ("LAPACK", lambda: [np.linalg.cholesky(symmetric), *np.linalg.qr(left)]),
        "svd, eigh": ("LAPACK", lambda: [np.linalg.svd(left)[1], np.linalg.eigvalsh(symmetric)]),
        "fft": ("FFT", lambda: [np.fft.fft(unit[:1000]), np.fft.rfft(unit[:1009])]),
    }


def scipy_probes(scipy: Any) -> Probes:
    """SciPy has a BLAS of its own, and functions in C++, C and Fortran."""
    np, linalg = importlib.import_module("numpy"), importlib.import_module("scipy.linalg")
    special, fft = importlib.import_module("scipy.special"), importlib.import_module("scipy.fft")
    unit, positive = array(np, 3000), array(np, 3000, low=2.0**-20) * 4
    square = array(np, 80, 80) / 16 + np.eye(80) * 4

    def blas() -> Results:
        return [linalg.blas.dgemm(1.0, square, square.T), linalg.blas.sdot(unit, positive)]

    def lapack() -> Results:
        return [linalg.lu_factor(square)[0], linalg.expm(square), linalg.eigvals(square)]

    def functions() -> Results:
        return [
            special.gamma(positive),
            special.erf(unit),
            special.jv(1.5, positive),
            special.expit(unit),
        ]

    return {
        "matrix product, dot": ("BLAS", blas),
        "lu, expm, eigenvalues": ("LAPACK", lapack),
        "fft, dct": ("FFT", lambda: [fft.fft(unit), fft.dct(unit[:1000])]),
        "special functions": ("vector", functions),
    }


def digest_of_arrays(results: Results) -> str:
    np = importlib.import_module("numpy")
    return short(np.ascontiguousarray(result).tobytes() for result in results)


def choices_of_numpy(np: Any) -> Iterator[tuple[str, str]]:
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        with contextlib.suppress(ImportError, AttributeError):
            found = importlib.import_module(name).__cpu_features__
            yield "NumPy's instruction sets", " ".join(name for name in found if found[name])
            break
    yield from choices_of_openblas("NumPy", "numpy")


def choices_of_scipy(scipy: Any) -> Iterator[tuple[str, str]]:
    yield from choices_of_openblas("SciPy", "scipy")


def choices_of_openblas(owner: str, part: str) -> Iterator[tuple[str, str]]:
    """Which kernels the OpenBLAS of a package uses: the library has them for each kind of CPU."""
    for path in mapped_files():
        if "openblas" not in Path(path).name or part not in Path(path).parent.name:
            continue
        for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", *_OLDER):
            with contextlib.suppress(OSError, AttributeError):
                function = getattr(ctypes.CDLL(path), name)
                function.restype = ctypes.c_char_p
                yield f"{owner}'s OpenBLAS", function().decode()
                break


_OLDER = ("openblas_get_corename64_", "openblas_get_corename")


def mapped_files() -> list[str]:
    """The files that are mapped into this process; none where nobody tells."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return sorted({line.split(maxsplit=5)[5] for line in lines if line.count(" /")})


# --- PyTorch ---


def torch_probes(torch: Any) -> Probes:
    """PyTorch on the CPU: its own kernels, MKL, oneDNN, and the division of work among threads."""
    functional = torch.nn.functional

    def fill(*shape: int, k: int = 0, low: float = -1.0, kind: Any = torch.float32) -> Any:
        """As `array`, for tensors."""
        i = torch.arange(1, math.prod(shape) + 1, dtype=torch.int64) + 7919 * k
        return (drawn(i).to(torch.float64) / 2**41 + low).to(kind).reshape(shape)

    def with_gradients(function: Callable[..., Any], *inputs: Any) -> Results:
        """A result, and its derivatives with weights that are no power of two."""
        inputs = tuple(each.detach().requires_grad_() for each in inputs)
        out = function(*inputs)
        return [out, *torch.autograd.grad(out, inputs, fill(*out.shape, k=5, kind=out.dtype))]

    wide, positive = fill(20011) * 8, fill(20011, low=2.0**-20) * 4
    double, plus = fill(5003, kind=torch.float64) * 8, fill(5003, low=2.0**-20, kind=torch.float64)
    large = fill((1 << 20) + 7, low=0.5)
    one, other = fill(257, 311), fill(311, 263, k=1)
    pairs = torch.complex(fill(5003), fill(5003, k=1))
    image, few = fill(4, 16, 20, 20), fill(24, 16, 3, 3, k=1)
    deep, filters = fill(4, 256, 8, 8), fill(256, 256, 3, 3, k=1)
    table, picked = fill(500, 33), ((torch.arange(2000) * 7919) % 500).reshape(50, 40)
    near = fill(90, 90, k=2) / 64
    symmetric = near + near.T + torch.eye(90) * 4

    def recurrent() -> Results:
        lstm = torch.nn.LSTM(16, 24)
        for number, parameter in enumerate(lstm.parameters()):
            parameter.data.copy_(fill(*parameter.shape, k=number) / 4)
        out = lstm(fill(12, 5, 16))[0]
        return [out, *torch.autograd.grad(out, list(lstm.parameters()), fill(*out.shape, k=5))]

    def adam() -> Results:
        # By hand: the import of torch.optim's compiled steps takes longer than all probes.
        weight, mean, square = fill(5003), torch.zeros(5003), torch.zeros(5003)
        for number in range(3):
            gradient = fill(5003, k=number)
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            weight.addcdiv_(mean, square.sqrt().add_(1e-8), value=-0.001)
        return [weight]

    def sums() -> Results:
        # Many, because another division among threads may give the same bits by chance.
        parts = [large[4099 * number :].sum() for number in range(16)]
        return [*parts, one.sum(0), one.mean(1), one.std(), one.cumsum(1)]

    def norm(x: Any, weight: Any, bias: Any) -> Any:
        return functional.batch_norm(x, None, None, weight, bias, training=True)

    def bag(x: Any) -> Any:
        return functional.embedding_bag(picked, x, mode="mean")

    def loss(x: Any) -> Any:
        return functional.cross_entropy(x * 8, torch.arange(257) % 311).reshape(1)

    return {
        "exp": ("vector", lambda: [wide.exp(), double.exp()]),
        "log": ("vector", lambda: [positive.log(), plus.log()]),
        "sqrt, rsqrt": ("vector", lambda: [positive.sqrt(), plus.sqrt(), positive.rsqrt()]),
        "sin, cos": ("vector", lambda: [wide.sin(), wide.cos(), double.sin()]),
        "tanh, sigmoid": ("vector", lambda: [wide.tanh(), wide.sigmoid(), double.tanh()]),
        "erf, gelu, silu": (
            "vector",
            lambda: [wide.erf(), functional.gelu(wide), functional.silu(wide)],
        ),
        "pow, atan, asinh": ("vector", lambda: [positive.pow(1.375), wide.atan(), double.asinh()]),
        "complex angle, log": ("complex", lambda: [pairs.angle(), pairs.log()]),
        "complex sqrt, division": ("complex", lambda: [pairs.sqrt(), pairs / pairs.flip(0)]),
        "sum": ("sum", sums),
        "softmax": ("layer", lambda: with_gradients(lambda x: (x * 8).log_softmax(1), one)),
        "cross entropy": ("layer", lambda: with_gradients(loss, one)),
        "layer norm": (
            "layer",
            lambda: with_gradients(
                lambda x, w, b: functional.layer_norm(x, (311,), w, b),
                one,
                fill(311),
                fill(311, k=1),
            ),
        ),
        "batch norm": ("layer", lambda: with_gradients(norm, image, fill(16), fill(16, k=1))),
        "embedding bag": ("layer", lambda: with_gradients(bag, table)),
        "lstm": ("layer", recurrent),
        "attention": (
            "layer",
            lambda: with_gradients(
                functional.scaled_dot_product_attention,
                *(fill(2, 3, 40, 16, k=k) for k in range(3)),
            ),
        ),
        "adam": ("vector", adam),
        "matrix product": ("BLAS", lambda: [one @ other, fill(512, 512) @ fill(512, 512, k=1)]),
        "float64 matrix product": (
            "BLAS",
            lambda: [fill(257, 311, kind=torch.float64) @ fill(311, 263, k=1, kind=torch.float64)],
        ),
        "bfloat16 matrix product": ("BLAS", lambda: [one.bfloat16() @ other.bfloat16()]),
        "batched product": ("BLAS", lambda: [torch.bmm(fill(12, 50, 64), fill(12, 64, 50, k=1))]),
        "linear, matrix times vector": (
            "BLAS",
            lambda: [
                functional.linear(one, other.T, fill(263)),
                one @ fill(311),
                torch.dot(wide, positive),
            ],
        ),
        "cholesky": (
            "LAPACK",
            lambda: [torch.linalg.cholesky(symmetric[:n, :n]) for n in (7, 24, 90)],
        ),
        "qr, inverse": (
            "LAPACK",
            lambda: [*torch.linalg.qr(one[:, :120]), torch.linalg.inv(symmetric)],
        ),
        "svd, eigh": (
            "LAPACK",
            lambda: [torch.linalg.svdvals(near), torch.linalg.eigvalsh(symmetric)],
        ),
        "fft": ("FFT", lambda: [torch.fft.fft(fill(1000)), torch.fft.rfft(fill(16, 1009))]),
        "convolution": (
            "convolution",
            lambda: with_gradients(lambda x, w: functional.conv2d(x, w, padding=1), image, few),
        ),
        "convolution, channels last": (
            "convolution",
            lambda: [functional.conv2d(image.to(memory_format=torch.channels_last), few)],
        ),
        "deep convolution, channels last": (
            "convolution",
            lambda: [
                functional.conv2d(deep.to(memory_format=torch.channels_last), filters, padding=1)
            ],
        ),
        "depthwise convolution": (
            "convolution",
            lambda: [functional.conv2d(image, fill(16, 1, 3, 3), groups=16)],
        ),
    }


def digest_of_tensors(results: Results) -> str:
    return short(map(bytes_of, results))


def bytes_of(tensor: Any) -> bytes:
    """The bytes of a tensor. NumPy, which may not be there, is not asked."""
    tensor = tensor.detach().contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())


def choices_of_torch(torch: Any) -> Iterator[tuple[str, str]]:
    yield "PyTorch's threads", str(torch.get_num_threads())
    with contextlib.suppress(AttributeError):
        yield "PyTorch's instruction set", torch.backends.cpu.get_cpu_capability()
    path = Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"
    with contextlib.suppress(OSError, AttributeError):
        branch = ctypes.CDLL(str(path)).mkl_serv_cbwr_get(1)
        yield "PyTorch's MKL", MKL_BRANCHES.get(branch, f"branch {branch}")
    with contextlib.suppress(Exception):
        isa = isa_of_onednn(torch)
        if isa:
            yield "PyTorch's oneDNN", isa


MKL_BRANCHES = {
    **{1: "no branch of its own", 2: "automatic", 3: "COMPATIBLE", 4: "SSE2", 6: "SSSE3"},
    **{7: "SSE4_1", 8: "SSE4_2", 9: "AVX", 10: "AVX2", 11: "AVX512_MIC", 12: "AVX512"},
    **{13: "AVX512_MIC_E1", 14: "AVX512_E1"},
}
"""MKL_CBWR_... in mkl_service.h."""


def isa_of_onednn(torch: Any) -> str:
    """The instruction set that oneDNN uses, from what oneDNN tells about an operator; else ""."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 1)
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
                torch.nn.functional.conv2d(torch.zeros(2, 8, 9, 9), torch.zeros(8, 8, 3, 3))
            ctypes.CDLL(None).fflush(None)
            file.seek(0)
            lines = file.read().decode(errors="replace").splitlines()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    return next((line.partition("isa:")[2] for line in lines if "isa:" in line), "")


LIBRARIES: dict[str, tuple[Callable[[Any], Probes], Callable[[Results], str], Any]] = {
    "python": (python_probes, digest_of_floats, choices_of_python),
    "numpy": (numpy_probes, digest_of_arrays, choices_of_numpy),
    "scipy": (scipy_probes, digest_of_arrays, choices_of_scipy),
    "torch": (torch_probes, digest_of_tensors, choices_of_torch),
}
"""Library -> what makes its probes, the digest of results, and what the library has chosen."""


if __name__ == "__main__":
    main()
