"""A tensor's number: what it tells apart, and that it leaves everything else alone."""

import json
import os
import random
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.repository import REPOSITORY
from seed_init.proof.observer import core
from seed_init.proof.observer.instruments import end_torch
from seed_init.proof.observer.tensors import digests, fingerprints, vectors
from seed_init.proof.observer.tensors.fingerprints import fingerprint, number

M = 2**64


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 words, two at a time elsewhere, so that small tensors have many."""
    monkeypatch.setattr(fingerprints, "CHUNK", 16)
    monkeypatch.setattr(fingerprints, "_spare", [])


def split_mix(place: int) -> int:
    z = place * 0x9E3779B97F4A7C15 % M
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % M
    z = (z ^ z >> 27) * 0x94D049BB133111EB % M
    return (z ^ z >> 31) | 1


def by_hand(content: bytes, offset: int = 0) -> int:
    """The number of some bytes, in plain whole numbers."""
    content = bytes(offset % 8) + content
    content += bytes(-len(content) % 8)
    total = 0
    for index, (word,) in enumerate(struct.iter_unpack("<q", content)):
        chunk, within = divmod(offset // 8 + index, fingerprints.CHUNK)
        factor = split_mix(2**40 + chunk + 1) if chunk else 1
        total += (word + (word >> 31)) * split_mix(within + 1) * factor
    return total % M


def content_of(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().view(-1).view(torch.uint8).tolist())


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 2, 3, 15, 31, 32, 33, 64, 95, 320, 1001])
def test_it_is_the_sum_that_the_docstring_says(size: int, small_chunks: None) -> None:
    tensor = noise(size)

    assert number(tensor) == by_hand(content_of(tensor))


def test_so_it_is_for_a_tensor_of_several_real_chunks() -> None:
    tensor = noise(2 * fingerprints.CHUNK * 2 + 777)

    assert number(tensor) == by_hand(content_of(tensor))


def test_several_chunks_at_a_time_give_the_same(
    small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (64, 100, 333, 1001):
        for place in (0, 8, 40, 128, 136):
            tensor = noise(size)
            one = fingerprints._cuts(place // 8, size // 2, 1)
            several = fingerprints._cuts(place // 8, size // 2, 3)
            assert one[0][0] == several[0][0] == 0
            assert one[-1][1] == several[-1][1] == size // 2

            cuts = fingerprints._cuts
            with monkeypatch.context() as patch:
                patch.setattr(fingerprints, "_cuts", lambda a, b, rows, cuts=cuts: cuts(a, b, 3))
                patch.setattr(fingerprints, "_take", lambda _, n: torch.empty(n, dtype=torch.int64))
                patch.setattr(fingerprints, "_give", lambda _: None)
                out = torch.empty((), dtype=torch.int64)
                fingerprint(tensor, out, place // 4)
            assert int(out) % M == by_hand(content_of(tensor), place)


@pytest.mark.parametrize("size", [5, 16, 100, 70_000, 300_001])
def test_it_is_the_same_for_one_thread_and_two(size: int) -> None:
    tensor, before = noise(size), torch.get_num_threads()
    try:
        found = set()
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.add(number(tensor))
    finally:
        torch.set_num_threads(before)

    assert len(found) == 1


DTYPES = (
    *(torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.int32),
    *(torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
)


def of_dtype(dtype: torch.dtype, count: int = 41) -> torch.Tensor:
    if dtype is torch.bool:
        return noise(count) > 0
    return (noise(count) * 10).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_read_byte_by_byte(dtype: torch.dtype, small_chunks: None) -> None:
    tensor = of_dtype(dtype)

    assert number(tensor) == by_hand(content_of(tensor))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_flipped_bit_is_told(dtype: torch.dtype, small_chunks: None) -> None:
    draw = random.Random(2)
    tensor = of_dtype(dtype)
    content = tensor.view(torch.uint8)
    before = number(tensor)
    for _ in range(400):
        place, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
        content[place] ^= bit
        assert number(tensor) != before
        content[place] ^= bit
    assert number(tensor) == before


def test_thousands_of_flipped_bits_in_a_large_tensor_are_told() -> None:
    draw = random.Random(3)
    tensor = noise(20_000)
    content = tensor.view(torch.uint8)
    seen = {number(tensor)}
    for _ in range(3000):
        place, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
        content[place] ^= bit
        found = number(tensor)
        content[place] ^= bit
        seen.add(found)
    assert len(seen) > 2900  # some bits are drawn twice, none gives the number of another


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_two_exchanged_elements_are_told(dtype: torch.dtype, small_chunks: None) -> None:
    draw = random.Random(4)
    tensor = of_dtype(dtype, 64)
    content = content_of(tensor)
    size = tensor.element_size()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    for _ in range(200):
        one, two = draw.sample(range(64), 2)
        exchanged = list(pieces)
        exchanged[one], exchanged[two] = exchanged[two], exchanged[one]
        other = torch.frombuffer(bytearray(b"".join(exchanged)), dtype=torch.uint8)
        assert (number(other) == number(tensor)) == (exchanged == pieces)


def test_permutations_are_told() -> None:
    tensor = noise(1000)
    order = torch.Generator().manual_seed(5)
    found = {number(tensor[torch.randperm(1000, generator=order)]) for _ in range(300)}

    assert len(found) == 300
    assert number(noise(8, 8)) != number(noise(8, 8).t())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_signs_that_are_flipped_in_pairs_are_told(dtype: torch.dtype) -> None:
    # Where a sign is the top bit of a product modulo a power of two, every pair cancels.
    draw = random.Random(6)
    tensor = noise(512).to(dtype)
    before = number(tensor)
    for count in (2, 4, 512):
        for _ in range(500 if count < 512 else 1):
            other = tensor.clone()
            places = draw.sample(range(512), count)
            other[places] = -other[places]
            assert number(other) != before, (count, places)


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_neighbours_that_exchange_their_signs_are_told(distance: int) -> None:
    tensor = torch.full((64,), 0.5)
    tensor[::2] = -0.5
    before = number(tensor)
    for one in range(60):
        for two in range(60):
            if one != two:
                other = tensor.clone()
                for place in (one, one + distance, two, two + distance):
                    other[place] = -other[place]
                assert torch.equal(other, tensor) == (number(other) == before)


def test_the_smallest_difference_of_a_float_is_told() -> None:
    tensor = noise(4096)
    for place in range(0, 4096, 64):
        other = tensor.clone()
        other[place] = torch.nextafter(other[place], torch.tensor(torch.inf))
        assert number(other) != number(tensor)


def test_constants_are_told_apart() -> None:
    values = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, torch.inf, -torch.inf, torch.nan)
    for size in (1, 2, 1024, 1 << 17):
        assert len({number(torch.full((size,), value)) for value in values}) == len(values)
    for size in (1, 2, 64):
        assert len({number(torch.full((size,), value)) for value in (-1, 0, 1, 2**62)}) == 4


def test_what_flips_every_bit_is_told() -> None:
    tensor = torch.arange(-50, 50)

    assert number(~tensor) != number(tensor)
    assert number(torch.zeros(2, dtype=torch.int64)) != number(-torch.ones(2, dtype=torch.int64))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pieces_add_up_to_the_whole(dtype: torch.dtype, small_chunks: None) -> None:
    draw = random.Random(7)
    tensor = of_dtype(dtype, 333)
    for _ in range(20):
        cuts = [0, *sorted(draw.sample(range(333), 3)), 333]
        total = 0
        for begin, end in pairwise(cuts):
            out = torch.empty((), dtype=torch.int64)
            fingerprint(tensor[begin:end], out, begin)
            total += int(out)
        assert total % M == number(tensor)


def test_large_pieces_that_begin_within_a_word_add_up_as_well() -> None:
    tensor = noise(3 * fingerprints.CHUNK * 2 + 5).to(torch.bfloat16)
    out = torch.empty(2, dtype=torch.int64)
    fingerprint(tensor[:12_345], out[0])
    fingerprint(tensor[12_345:], out[1], 12_345)

    assert int(out.sum()) % M == number(tensor) == by_hand(content_of(tensor))


def test_what_does_not_lie_in_order_counts_as_what_it_shows() -> None:
    images = noise(4, 3, 8, 8)
    for view in (images.permute(3, 1, 0, 2), images[:, 1], images[::2, ..., ::3]):
        assert number(view) == number(view.contiguous())
    assert number(images.to(memory_format=torch.channels_last)) == number(images)
    assert number(noise(1).expand(100)) == number(noise(1).repeat(100))


@fingerprints.undisturbed
def encoded(*tensors: torch.Tensor | None) -> str:
    """As an optimizer's tensors are written at each step."""
    return vectors.Layout(vectors.describe(list(tensors))).vector(list(tensors)).encoded()


@pytest.fixture(autouse=True)
def nothing_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an observed program would only report is an error here."""

    def unreadable(tensor: torch.Tensor, error: Exception) -> None:
        raise error

    monkeypatch.setattr(core, "report_unreadable", unreadable)


def odd_views() -> "dict[str, torch.Tensor]":
    """Views whose strides say nothing of where their elements are, or of which there are none."""
    row = torch.arange(1.0, 13.0)
    pairs = torch.complex(row, -row)
    one = torch.tensor(2.5)
    return {
        "one element, stride 0": one.expand(1),
        "one element, three dimensions": one.expand(1, 1, 1),
        "one element, stride 3": row[::3][:1],
        "one element, stride 7 and an offset": row.as_strided((1, 1), (7, 9), 2),
        "one complex element": pairs[3].expand(1),
        "one conjugated element": pairs[3].conj().expand(1),
        "one negated element": pairs[3].conj().imag.expand(1),
        "one bool": torch.tensor(True).expand(1),
        "one byte": torch.tensor(7, dtype=torch.int8).expand(1),
        "one double": torch.tensor(2.5, dtype=torch.float64).expand(1),
        "one bfloat16": one.to(torch.bfloat16).expand(1),
        "one uint64": torch.tensor(7).to(torch.uint64).expand(1),
        "several elements, stride 0": one.expand(5),
        "rows over each other": row[:3].expand(4, 3),
        "overlapping": row.as_strided((4, 3), (1, 1)),
        "overlapping, odd strides": row.as_strided((2, 2), (3, 0), 1),
        "channels last": row.view(1, 3, 2, 2).to(memory_format=torch.channels_last),
        "no element, stride 0": one.expand(0),
        "no element of rows": one.view(1, 1).expand(0, 5),
        "no element, odd strides": row.as_strided((0, 3), (5, 7), 3),
        "no dimension, an offset": row[5],
        "no dimension, conjugated": pairs[5].conj(),
    }


@pytest.mark.parametrize("name", odd_views())
def test_a_view_counts_as_what_it_shows_whatever_its_strides(name: str) -> None:
    view = odd_views()[name]
    plain = torch.tensor(view.tolist(), dtype=view.dtype).reshape(view.shape)
    assert view.numel() == 0 or number(view) != 0
    assert number(view) == number(plain) == number(view, on_host=True)
    assert number(torch.nn.Parameter(view, False)) == number(plain)
    assert end_torch.sha256_of(view) == end_torch.sha256_of(plain)
    assert digests.digest(view) == digests.digest(plain)

    # Two, so that small ones are computed together, beside one that is computed by itself.
    assert encoded(view, view, row := torch.ones(3)) == encoded(plain, plain, row)


def test_what_has_no_memory_has_no_contents_and_is_not_read() -> None:
    freed = noise(40)
    freed.untyped_storage().resize_(0)  # as FSDP does with parameters that it has gathered
    lazy = torch.nn.LazyLinear(3)
    for tensor in (freed, torch.nn.Parameter(freed), lazy.weight, torch.empty(40, device="meta")):
        encoded(tensor, tensor, noise(40))
        assert number(tensor) == 0
        assert end_torch.sha256_of(tensor)
        assert digests.digest(tensor)
    assert vectors.sizes(vectors.describe([lazy.weight])[0]) is None
    zeros = torch._efficientzerotensor(40)
    assert number(zeros) == number(torch.zeros(40))
    assert end_torch.sha256_of(zeros) == end_torch.sha256_of(torch.zeros(40))


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_count_by_their_parts_and_how_long_these_are(layout: torch.layout) -> None:
    one, two = noise(3), noise(5, seed=2)

    def nested(*parts: torch.Tensor) -> torch.Tensor:
        return torch.nested.nested_tensor(list(parts), layout=layout)

    seen = {number(nested(*parts)) for parts in ((one, two), (two, one), (one, two + 1))}
    assert len(seen) == 3
    assert number(nested(one, two)) == number(nested(one.clone(), two.clone()))
    joined = torch.cat([one, two])
    assert number(nested(joined[:4], joined[4:])) not in seen
    encoded(nested(one, two), joined)
    json.dumps(vectors.sizes(vectors.describe([nested(one, two)])[0]))
    assert digests.digest(nested(one, two)) == digests.digest(nested(one, two))


def test_the_final_hash_reads_no_memory_that_was_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensor = noise(64)
    expected = end_torch.sha256_of(tensor)
    # As from a device: what comes from there is held by nobody else.
    monkeypatch.setattr(torch.Tensor, "cpu", torch.Tensor.clone)
    assert end_torch.sha256_of(tensor) == expected


def test_bytes_of_a_storage_count_once_each() -> None:
    tensor = noise(1000)
    assert fingerprints.number_of_storage(tensor.untyped_storage()) == number(tensor)
    assert fingerprints.number_of_storage(torch.empty(3, device="meta").untyped_storage()) == 0


def test_arrays_of_objects_count_by_what_these_are_and_not_where() -> None:
    numpy = pytest.importorskip("numpy")

    def objects(last: str) -> Any:
        made = numpy.empty(2, dtype=object)
        made[:] = [[1, 2], "".join(["x", last])]
        return made

    assert (
        digests.digest(objects("a")) == digests.digest(objects("a")) != digests.digest(objects("b"))
    )


def test_conjugate_and_negative_views_count_as_what_they_show() -> None:
    tensor = torch.complex(noise(20), noise(20, seed=2))
    conjugate = tensor.conj()
    negative = conjugate.imag
    assert conjugate.is_conj()
    assert negative.is_neg()

    assert number(conjugate) == number(conjugate.resolve_conj()) != number(tensor)
    assert number(negative) == number(negative.resolve_neg()) != number(tensor.imag)


def test_sparse_tensors_count_by_places_and_values() -> None:
    tensor = torch.eye(6)
    for sparse in (torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr, torch.Tensor.to_sparse_csc):
        before = number(sparse(tensor))
        moved, changed = tensor.clone(), tensor.clone()
        moved[0, 0], moved[0, 1] = 0, 1
        changed[3, 3] = 2
        assert number(sparse(tensor.clone())) == before
        assert len({before, number(sparse(moved)), number(sparse(changed))}) == 3
    block = tensor.to_sparse_bsr((2, 2))
    assert number(block) != number((2 * tensor).to_sparse_bsr((2, 2)))


def test_quantized_tensors_count_by_numbers_and_scale() -> None:
    tensor = noise(20)
    scales, zeros = torch.rand(4) + 0.1, torch.zeros(4, dtype=torch.int64)

    def quantized(scale: float = 0.1, zero: int = 0) -> torch.Tensor:
        return torch.quantize_per_tensor(tensor, scale, zero, torch.qint8)

    def by_channel(factor: float) -> torch.Tensor:
        rows = tensor.view(4, 5) * factor
        return torch.quantize_per_channel(rows, scales * factor, zeros, 0, torch.qint8)

    assert number(quantized()) == number(quantized())
    assert number(quantized()) != number(quantized(zero=1))
    same_numbers = torch._make_per_tensor_quantized_tensor(quantized().int_repr(), 0.2, 0)
    assert number(quantized()) != number(same_numbers)
    assert torch.equal(by_channel(1).int_repr(), by_channel(2).int_repr())
    assert number(by_channel(1)) != number(by_channel(2))


def test_empty_tensors_and_single_numbers_have_one() -> None:
    assert number(torch.empty(0)) == number(torch.empty(3, 0, 2)) == 0
    assert number(torch.tensor(1.5)) == number(torch.tensor([1.5])) != number(torch.tensor(1.0))
    out = torch.ones((), dtype=torch.int64)
    fingerprint(torch.empty(0), out, 99)
    assert int(out) == 0


def test_a_tensor_may_lie_anywhere_in_its_storage(small_chunks: None) -> None:
    storage = noise(200)
    for start in (0, 1, 2, 3):
        assert number(storage[start : start + 101]) == number(storage[start : start + 101].clone())


class Wrapped(torch.Tensor):
    """A tensor that holds two others."""

    @staticmethod
    def __new__(cls, one: torch.Tensor, two: torch.Tensor) -> "Wrapped":
        return torch.Tensor._make_wrapper_subclass(cls, one.shape, dtype=one.dtype)

    def __init__(self, one: torch.Tensor, two: torch.Tensor) -> None:
        self.one, self.two = one, two

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["one", "two"], None

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        raise AssertionError(f"{function} was called")


def test_a_wrapper_counts_by_what_it_holds() -> None:
    one, two = noise(5), noise(5, seed=2)
    before = number(Wrapped(one, two))

    assert number(Wrapped(one, Wrapped(one, two))) != before
    assert number(Wrapped(one.clone(), two.clone())) == before
    assert number(Wrapped(one, two + 1)) != before


def test_nothing_of_the_program_is_changed() -> None:
    torch.manual_seed(11)
    leaf = torch.nn.Parameter(noise(50, 6))
    product = leaf.t() * 2
    product.sum().backward()
    assert leaf.grad is not None
    tensors = [leaf, product, leaf.grad, leaf.to_sparse(), of_dtype(torch.bool)]
    states = [tensor._version for tensor in tensors]
    generator = torch.get_rng_state()
    gradient, content = leaf.grad, leaf.grad.clone()

    for tensor in tensors:
        number(tensor)

    assert [tensor._version for tensor in tensors] == states
    assert torch.equal(torch.get_rng_state(), generator)
    assert leaf.grad is gradient
    assert torch.equal(gradient, content)
    assert leaf.requires_grad
    assert product.grad_fn is not None
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


class Recording(torch.overrides.TorchFunctionMode):
    """Notes what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        self.seen.append(function)
        return function(*args, **(kwargs or {}))


class Dispatching(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes what is dispatched."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        self.seen.append(function)
        return function(*args, **(kwargs or {}))


def test_it_works_within_every_mode_and_none_sees_it() -> None:
    tensor = noise(100)
    expected = number(tensor)
    functions, dispatched = Recording(), Dispatching()
    try:
        with functions:
            assert number(tensor) == expected
        with dispatched:
            assert number(tensor) == expected
        with torch.device("meta"), torch.autocast("cpu", torch.bfloat16):
            assert number(tensor) == expected
        with torch.inference_mode():
            assert number(tensor) == expected
        torch.use_deterministic_algorithms(True)
        assert number(tensor) == expected
    finally:
        torch.use_deterministic_algorithms(False)
    assert functions.seen == dispatched.seen == []
    assert number(tensor) == expected


def test_threads_do_not_get_in_each_others_way() -> None:
    from concurrent.futures import ThreadPoolExecutor

    tensors = [noise(60_000, seed=seed) for seed in range(8)]
    expected = [number(tensor) for tensor in tensors]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(30):
            assert list(pool.map(number, tensors)) == expected


SHARDED = """
import sys, torch, torch.distributed as dist
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh
from seed_init.proof.observer.tensors.fingerprints import number

dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=int(sys.argv[1]),
                        world_size=2)
mesh = init_device_mesh("cpu", (2,))
for shape, dtype in (((8, 3), "float32"), ((7, 3), "float32"), ((1, 5), "float32"),
                     ((9, 1), "bfloat16"), ((301, 1001), "bfloat16")):
    whole = torch.arange(shape[0] * shape[1]).view(shape).sin().to(getattr(torch, dtype))
    for placement in (Shard(0), Replicate()):
        mine = torch.tensor([number(distribute_tensor(whole, mesh, [placement])) - 2**63])
        all = [torch.empty_like(mine) for _ in range(2)]
        dist.all_gather(all, mine)
        numbers = [int(each) + 2**63 for each in all]
        if placement == Shard(0):
            assert sum(numbers) % 2**64 == number(whole), (shape, dtype)
        else:
            assert numbers == [number(whole)] * 2, (shape, dtype)
dist.destroy_process_group()
print("equal")
"""


def test_the_shards_of_a_dtensor_add_up_to_the_whole(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", SHARDED, str(rank), str(tmp_path / "store")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for rank in ranks:
        output, errors = rank.communicate(timeout=120)
        assert output == "equal\n", errors
