"""The environment and the defaults file, read into `Settings`, or refused.

This is the whole contract: every variable, what it accepts and what it means when it is
not set. It runs at the start of every Python process, so it imports nothing that the
interpreter has not already loaded, and it never opens a file but the defaults file.
"""

import os
import sys

EX_CONFIG = 78
"""Exit status of a refusal: "configuration error" in sysexits.h."""

SEED_MAX = 2**32 - 1
"""The largest seed that `numpy.random.seed` and PYTHONHASHSEED take as well."""

SYSTEM_DEFAULTS = "/etc/seed_init/defaults"

FLAG = ("0", "1")
WORDS: dict[str, tuple[str, ...]] = {
    "DETERMINISM": ("off", "fast", "warn", "strict"),
    "CUDNN_DETERMINISTIC": FLAG,
    "CUDNN_BENCHMARK": FLAG,
    "CUDNN_ALLOW_TF32": FLAG,
    "TORCH_ALLOW_TF32": FLAG,
    "TORCH_FILL_UNINITIALIZED_MEMORY": FLAG,
    "TORCH_DETERMINISTIC_ALGORITHMS": ("0", "warn", "1"),
    "SEED_INIT": ("0",),
    "SEED_INIT_LOG": ("quiet", "info", "debug"),
    "SEED_INIT_UNSEEDED": ("derive", "warn", "leave"),
    "SEED_INIT_RESEED": ("honour", "mix"),
    "SEED_INIT_RANKS": ("same", "distinct"),
    "SEED_INIT_CHILDREN": ("distinct", "inherit"),
}
"""Variables that take one of a few words, with the words."""

PATHS = ("SEED_INIT_TRACE", "SEED_INIT_RECORD")
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_DETERMINISTIC = (":4096:8", ":16:8")
"""The two values PyTorch accepts as deterministic (aten/src/ATen/Context.cpp)."""

NAMES = ("SEED", *WORDS, CUBLAS, *PATHS)
"""Every variable of the contract, in the order in which it is shown."""

BUILT_IN = {
    "SEED_INIT_LOG": "info",
    "SEED_INIT_UNSEEDED": "derive",
    "SEED_INIT_RESEED": "honour",
    "SEED_INIT_RANKS": "same",
    "SEED_INIT_CHILDREN": "distinct",
}
"""What holds when neither the environment nor the defaults file says anything."""

DRAWN = "SEED_INIT_DRAWN"
"""Set beside SEED by whoever drew it for SEED=random, so that children can tell."""


class Refusal(Exception):
    """A setting that is not in the contract. Its text is one line for the user."""


class Settings:
    """What this process was asked to do, and by whom. Frozen.

    Attributes:
        values: variable name to its value as text; only names that have one.
        origins: variable name to where that value comes from: "environment",
            "PATH:LINE" of the defaults file, "SEED=random" or "built-in".
        seed: the seed of this job, 0...4294967295, or None where nothing is seeded.
        determinism: the level, or None where the hook is idle (no SEED, no level).
    """

    __slots__ = ("values", "origins", "seed", "determinism")

    values: dict[str, str]
    origins: dict[str, str]
    seed: int | None
    determinism: str | None

    def __init__(self, values: dict[str, str], origins: dict[str, str]) -> None:
        seed = values.get("SEED")
        level = values.get("DETERMINISM")
        if level is None and seed is not None:
            level = values["DETERMINISM"] = "warn"
            origins["DETERMINISM"] = "built-in"
        put = object.__setattr__
        put(self, "values", values)
        put(self, "origins", origins)
        put(self, "seed", int(seed) if seed and seed.isdecimal() else None)
        put(self, "determinism", level)
        if level is not None and self.deterministic and CUBLAS not in values:
            values[CUBLAS] = CUBLAS_DETERMINISTIC[0]
            origins[CUBLAS] = f"DETERMINISM={level}"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings are frozen; {name} cannot be set")

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def idle(self) -> bool:
        """True where neither a seed nor a level was asked for: the hook does nothing."""
        return self.determinism is None

    @property
    def wants_draw(self) -> bool:
        """True where SEED=random has not been replaced by a drawn seed yet."""
        return self.values.get("SEED") == "random"

    @property
    def deterministic(self) -> bool:
        """True where torch's deterministic algorithms are asked for, by level or override."""
        level = "warn" if self.determinism in ("warn", "strict") else "0"
        return self.values.get("TORCH_DETERMINISTIC_ALGORITHMS", level) != "0"

    @property
    def cublas_warning(self) -> str | None:
        """One line where a cuBLAS workspace that is not deterministic meets level warn."""
        given = self.values.get(CUBLAS)
        if self.determinism == "warn" and given and given not in CUBLAS_DETERMINISTIC:
            return (
                f"{CUBLAS}={shown(given)} is kept, but cuBLAS is deterministic only with "
                f"{' or '.join(CUBLAS_DETERMINISTIC)}"
            )
        return None


def read(environ: "os._Environ[str] | dict[str, str]" = os.environ) -> Settings:
    """Read the contract from `environ` and, below it, from the defaults file.

    Args:
        environ: the environment; names that are not in the contract are ignored.

    Returns:
        The settings, with the origin of each value.

    Raises:
        Refusal: a value, or a line of the defaults file, that the contract does not have.
    """
    values = dict(BUILT_IN)
    origins = dict.fromkeys(BUILT_IN, "built-in")
    path = defaults_path()
    if path:
        for number, name, value in read_defaults(path):
            values[name] = value
            origins[name] = f"{path}:{number}"
    for name in NAMES:
        # Empty counts as unset: Compose and CI systems pass variables through empty.
        value = environ.get(name, "").strip()
        if value:
            values[name] = accept(name, value)
            origins[name] = "environment"
    if "SEED" in values and values["SEED"] == environ.get(DRAWN):
        origins["SEED"] = "SEED=random"
    settings = Settings(values, origins)
    refuse_cublas_under_strict(settings)
    return settings


def accept(name: str, value: str) -> str:
    """Return `value`, normalised, if `name` takes it.

    Raises:
        Refusal: it does not; the text names the variable, the value and what is accepted.
    """
    if name == "SEED":
        return accept_seed(value)
    words = WORDS.get(name)
    if words and value not in words:
        raise Refusal(f"{name}={shown(value)} is not accepted; use {listed(words)}")
    return value


def accept_seed(value: str) -> str:
    """Return SEED as plain decimal digits, or one of its two words."""
    if value in ("random", "off"):
        return value
    if value.isascii() and value.isdecimal():
        # Zeros off first: int() raises on a text of more than 4300 digits.
        digits = value.lstrip("0") or "0"
        if len(digits) <= 10 and int(digits) <= SEED_MAX:
            return digits
    raise Refusal(
        f"SEED={shown(value)} is not accepted; "
        f"use a whole number from 0 to {SEED_MAX}, random or off"
    )


def refuse_cublas_under_strict(settings: Settings) -> None:
    """Raise Refusal where level strict meets a cuBLAS workspace that is not deterministic."""
    given = settings.values.get(CUBLAS)
    if settings.determinism == "strict" and given and given not in CUBLAS_DETERMINISTIC:
        raise Refusal(
            f"{CUBLAS}={shown(given)} is not accepted under DETERMINISM=strict; "
            f"use {listed(CUBLAS_DETERMINISTIC)}"
        )


def defaults_path() -> str | None:
    """The defaults file that holds for this Python: its prefix's own, else the system's."""
    for path in (sys.prefix + SYSTEM_DEFAULTS, SYSTEM_DEFAULTS):
        if os.access(path, os.F_OK):
            return path
    return None


def read_defaults(path: str) -> list[tuple[int, str, str]]:
    """Read a defaults file: NAME=VALUE lines, blank lines and lines that start with #.

    Args:
        path: the file.

    Returns:
        (line number from 1, name, accepted value) for each line that sets something.

    Raises:
        Refusal: the file cannot be read, or a line is not in the contract.
    """
    try:
        # Not open(): text decoding costs more than the rest of this function.
        handle = os.open(path, os.O_RDONLY)
        try:
            text = os.fsdecode(os.read(handle, 65536))
        finally:
            os.close(handle)
    except OSError as error:
        raise Refusal(f"cannot read {path}: {error.strerror}; repair or remove it") from None
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or name not in NAMES or name == "SEED_INIT":
            raise Refusal(
                f"{path}, line {number}: {shown(line)} is not accepted; "
                f"use NAME=VALUE with a name from the README's table of variables"
            )
        if any(name == earlier for _, earlier, _ in found):
            raise Refusal(f"{path}, line {number}: {name} is set twice; keep one of the lines")
        try:
            if value:
                found.append((number, name, accept(name, value)))
        except Refusal as refusal:
            raise Refusal(f"{path}, line {number}: {refusal}") from None
    return found


def shown(value: str) -> str:
    """`value` quoted for an error line: ASCII only, and short however long it is."""
    if len(value) > 40:
        return f"{ascii(value[:40])}... ({len(value)} characters)"
    return ascii(value)


def listed(words: tuple[str, ...]) -> str:
    """Words as English: "0 or leave it unset", "0 or 1", "off, fast, warn or strict"."""
    if len(words) == 1:
        return f"{words[0]} or leave it unset"
    return f"{', '.join(words[:-1])} or {words[-1]}"
