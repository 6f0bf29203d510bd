# SPDX-License-Identifier: Apache-2.0
"""Decide what of a run may be written down: the variables that matter, and words without secrets.

Variables are recorded by an allow-list, because a secret may have any name, while the variables
that decide bits are known. Command lines have no such list. There, everything that looks like a
secret is replaced, rather too often than too rarely: a record is made to be handed on.
"""

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from seed_init.hook import portability, startup, switches
from seed_init.hook.settings import EXPORTED
from seed_init.proof.redaction.secret_names import is_secret
from seed_init.proof.redaction.secret_texts import REDACTED, without_secrets
from seed_init.proof.redaction.secret_words import words_without_secrets

NAMES = frozenset(
    {
        *startup.ACCEPTED,
        *switches.NAMES,
        *portability.NAMES,
        EXPORTED,
        "SEED_INIT",
        "PYTHONHASHSEED",
        "PYTHONOPTIMIZE",
        "LANG",
        "LC_ALL",
        "LC_COLLATE",
        "LC_CTYPE",
        "LC_NUMERIC",
        "TZ",
        "LD_PRELOAD",
        "MALLOC_PERTURB_",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "CUDA_DEVICE_MAX_CONNECTIONS",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_MODULE_LOADING",
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_TF32_OVERRIDE",
        "PYTORCH_CUDA_ALLOC_CONF",
        "PYTORCH_JIT",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "TORCH_BLAS_PREFER_CUBLASLT",
        "TORCH_COMPILE_DISABLE",
        "TORCH_CUDNN_V8_API_DISABLED",
        "TORCH_LINALG_PREFER_CUSOLVER",
        "TORCH_NCCL_AVOID_RECORD_STREAMS",
        "TORCHDYNAMO_DISABLE",
        "TORCHELASTIC_RESTART_COUNT",
        "RANK",
        "LOCAL_RANK",
        "GROUP_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_NODEID",
        "SLURM_NTASKS",
        "SLURM_NNODES",
        "SLURM_CPUS_PER_TASK",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "PMI_RANK",
        "PMI_SIZE",
    }
)
"""Variables whose value is recorded: those of the contract, and those that can change results."""

PREFIXES = (
    "ATEN_",
    "CUBLAS_",
    "CUBLASLT_",
    "CUDNN_",
    "DNNL_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "NCCL_",
    "NUMEXPR_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "TORCHINDUCTOR_",
)
"""Families of variables that choose algorithms, instruction sets and numbers of threads."""

NOT_RECORDED = frozenset({"NCCL_HOSTID", "TORCHINDUCTOR_CACHE_DIR"})
"""Variables of these families that are not recorded: their values name a machine or a user."""

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that are recorded, with their values."""
    return {name: text(environment[name]) for name in sorted(environment) if is_recorded(name)}


def is_recorded(name: str) -> bool:
    """Return whether the value of a variable is recorded."""
    is_known = name in NAMES or name.startswith(PREFIXES)
    return is_known and name not in NOT_RECORDED and not is_secret(name)


def text(message: str) -> str:
    """Return a text without secrets, mail addresses, and names of this user and this machine."""
    return without_names(without_secrets(message))


def without_names(message: str) -> str:
    """Return a text without mail addresses, and names of this user and this machine."""
    shown = _EMAIL.sub("<email>", message)
    for pattern, instead in _own_names():
        shown = pattern.sub(instead, shown)
    return shown


def words(argv: Iterable[str]) -> list[str]:
    """Return a command line without secrets, mail addresses, and names of user and machine.

    Args:
        argv: the words of the command line.
    """
    return [without_names(word) for word in words_without_secrets(argv)]


@cache
def _own_names() -> "list[tuple[re.Pattern[str], str]]":
    """Patterns of this user's home and this machine's name, and what is written instead."""
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111  pathlib raises for no home
    names = []
    if home.startswith("/"):
        names.append((re.compile(rf"{re.escape(home)}(?![\w.-])"), "~"))
        user = home.rpartition("/")[2]
        names.append((re.compile(rf"(?<=/home/){re.escape(user)}(?![\w.-])"), "<user>"))
    host = os.uname().nodename
    # A short name of a machine would be found in words that do not mean the machine.
    if len(host) > 3 and not host.startswith("localhost"):
        names.append((re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])"), "<host>"))
    return names


def deep(value: Any, names: bool = True) -> Any:
    """Return a value with every text in it redacted by `text`. Keys stay.

    A list of words under the key `argv` or `command` is redacted as a command line (`words`).

    Args:
        value: a value that JSON can hold.
        names: whether the names of user and machine are left out as well; False for output that is
            not made to be handed on.
    """
    if isinstance(value, str):
        return text(value) if names else without_secrets(value)
    if isinstance(value, (list, tuple)):
        return [deep(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _entry(key, item, names) for key, item in value.items()}
    return value


def _entry(key: Any, value: Any, names: bool) -> Any:
    is_list = key in ("argv", "command") and isinstance(value, (list, tuple))
    if is_list and all(isinstance(word, str) for word in value):
        return words(value) if names else words_without_secrets(value)
    return deep(value, names)


def record(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a record without secrets, because older versions left some in.

    Args:
        content: the record; the packed steps and the packages in it stay as they are.
    """
    plain = ("trace", "packages")
    return {
        name: value if name in plain else _entry(name, value, names=False)
        for name, value in content.items()
    }


def repository(url: str) -> str:
    """Return the URL of a git remote without user and password, in either notation of git."""
    shown = without_secrets(url).replace(f"://{REDACTED}@", "://")
    if "://" not in shown:
        shown = re.sub(r"^[^/]*@(?=[^/]+:)", "", shown)  # user@host:path
    return text(shown)
