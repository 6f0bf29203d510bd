"""What an audit finds in a program with PyTorch; a comment says what on its line or the next."""

import os

import torch


def generators() -> None:
    torch.seed()  # finds unseeded 1 torch.seed()
    torch.Generator().seed()  # finds unseeded 1 torch.Generator.seed()
    torch.manual_seed(3)  # finds reseeding 1 torch.manual_seed


def operators() -> None:
    """With and without torch.use_deterministic_algorithms, as DETERMINISM has it at the start."""
    for _ in range(5):
        torch.zeros(5).put_(torch.tensor([1]), torch.ones(1))  # finds operator 5 aten::put_
    pool = torch.nn.MaxUnpool1d(2)
    for _ in range(3):
        pool(torch.ones(1, 1, 2), torch.tensor([[[0, 2]]]))  # finds operator 3 aten::max_unpool2d
    torch.set_num_threads(2)
    table = torch.zeros(10, requires_grad=True)
    index = torch.zeros(40000, dtype=torch.long)
    table[index].sum().backward()
    # finds flag 1 torch.use_deterministic_algorithms = False
    torch.use_deterministic_algorithms(False)
    for _ in range(2):
        picked = table[index]  # finds operator 2 aten::_index_put_impl_
        loss = picked.sum()
        loss.backward()
    table.double()[index].sum().backward()
    table[index[:100]].sum().backward()
    with torch.no_grad():
        # finds operator 1 aten::index_put_
        table.index_put_((index,), torch.ones(1), accumulate=True)
        table[index] = 2.0  # finds operator 1 aten::index_put_


def flags() -> None:
    torch.backends.cudnn.benchmark = True  # finds flag 1 torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.benchmark = True
    # finds flag 1 torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    # finds flag 1 torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    # finds flag 1 torch.set_float32_matmul_precision = medium
    torch.set_float32_matmul_precision("medium")
    # finds flag 1 torch.utils.deterministic.fill_uninitialized_memory = True
    torch.utils.deterministic.fill_uninitialized_memory = True


if __name__ == "__main__":
    generators()
    operators()
    flags()
    print(os.environ.get("RANK"))
