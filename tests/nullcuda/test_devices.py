"""What torch sees of devices that compute nothing."""

from pathlib import Path

from harness.processes import output

from .running import NullCuda


def test_torch_finds_the_devices(python: Path, null_cuda: NullCuda) -> None:
    code = "import torch; print(torch.cuda.is_available(), torch.cuda.device_count())"
    assert output(python, "-c", code, env=null_cuda.env(devices=3)) == "True 3"
