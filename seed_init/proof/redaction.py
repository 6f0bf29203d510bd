"""What may be written down of a run: the variables that matter, and words without secrets.

Variables go by an allow-list: a secret has any name, what decides bits has a known one. Command
lines have no such list, so there what looks like a secret is replaced, rather too often than too
rarely: a record is made to be handed on.
"""

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from seed_init import startup

REDACTED = "<redacted>"

NAMES = frozenset(
    {
        *startup.ACCEPTED,
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
"""Variables whose value is recorded: those of the contract, and those known to decide bits."""

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
"""Of these families, those whose values name a machine or a user."""

_SECRET_WORDS = frozenset(
    {
        *("apikey", "auth", "authorization", "bearer", "cred", "credential", "credentials"),
        *("creds", "pass", "passcode", "passphrase", "passwd", "password", "pw", "pwd", "sas"),
        *("secret", "secrets", "sig", "signature", "token"),
    }
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

# What some services make their tokens recognisable by.
_KNOWN_TOKEN = re.compile(
    r"\b(?:hf_\w{8,}|gh[pousr]_\w{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|sk-[\w-]{8,}|xox[a-z]-[\w-]+"
    r"|AKIA[A-Z0-9]{12,}|ASIA[A-Z0-9]{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w.-]+)"
)
_USER_IN_URL = re.compile(r"(?<=://)[^\s/@]+@")
_BEARER = re.compile(r"\b(bearer|basic)\s+[^\s'\"]+", re.IGNORECASE)
_NAME = re.compile(r"-{0,2}[A-Za-z_][\w.-]*")
# What separates a name from its value, and the value: quoted, or up to white space or the next part
# of a query. A blank separates only after an option.
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s&'\"]+)"
_ASSIGNED = re.compile(rf"['\"]?\s*(?:=>|[=:])\s*{_VALUE}")
_FOLLOWING = re.compile(rf"\s+(?!-){_VALUE}")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that are recorded, with their values."""
    return {
        name: text(environment[name])
        for name in sorted(environment)
        if (name in NAMES or name.startswith(PREFIXES))
        and name not in NOT_RECORDED
        and not is_secret(name)
    }


def is_secret(name: str) -> bool:
    """True where a variable, an option or a key has the name of a secret.

    By whole words: `--max-tokens` and `tokenizer` are none.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or words[-1:] == ["key"]


def words(argv: Iterable[str]) -> list[str]:
    """A command line without secrets: the value of each option that names one, and what looks so.

    Args:
        argv: its words.
    """
    shown: list[str] = []
    hide = False
    for word in argv:
        is_option = word.startswith("-") and len(word) > 1
        shown.append(REDACTED if hide and not is_option else text(word))
        hide = is_option and "=" not in word and " " not in word and is_secret(word)
    return shown


def text(given: str) -> str:
    """A text without secrets, mail addresses, and the names of this user and this machine."""
    shown = _USER_IN_URL.sub(f"{REDACTED}@", given)
    shown = _BEARER.sub(lambda found: f"{found[1]} {REDACTED}", shown)
    shown = _without_values(_KNOWN_TOKEN.sub(REDACTED, shown))
    shown = _EMAIL.sub("<email>", shown)
    for pattern, instead in _own_names():
        shown = pattern.sub(instead, shown)
    return shown


def _without_values(given: str) -> str:
    """A text in which what is assigned to the name of a secret, or follows it, is replaced."""
    pieces, done = [], 0
    for name in _NAME.finditer(given):
        if name.start() < done or not is_secret(name[0]):
            continue
        found = _ASSIGNED.match(given, name.end())
        if found is None and name[0].startswith("-"):
            found = _FOLLOWING.match(given, name.end())
        if found is not None:
            pieces += [given[done : found.start("value")], REDACTED]
            done = found.end()
    return "".join([*pieces, given[done:]])


@cache
def _own_names() -> "list[tuple[re.Pattern[str], str]]":
    """What stands for this user's home and this machine's name, and what is written instead."""
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111  pathlib raises for no home
    names = []
    if home.startswith("/"):
        names.append((re.compile(rf"{re.escape(home)}(?![\w.-])"), "~"))
        user = home.rpartition("/")[2]
        names.append((re.compile(rf"(?<=/home/){re.escape(user)}(?![\w.-])"), "<user>"))
    host = os.uname().nodename
    # A short name would be found in words that have nothing to do with it.
    if len(host) > 3 and not host.startswith("localhost"):
        names.append((re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])"), "<host>"))
    return names


def deep(value: Any) -> Any:
    """What JSON can hold, with every text in it as `text` gives it. Keys stay."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [deep(each) for each in value]
    if isinstance(value, dict):
        return {key: deep(each) for key, each in value.items()}
    return value


def repository(url: str) -> str:
    """A git remote's URL without user and password, in both of git's notations."""
    shown = re.sub(r"(?<=://)[^/]*@", "", url)
    if "://" not in shown:
        shown = re.sub(r"^[^/]*@(?=[^/]+:)", "", shown)  # user@host:path
    return text(shown)
