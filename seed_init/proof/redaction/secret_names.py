# SPDX-License-Identifier: Apache-2.0
"""Tell which names are those of secrets: of options, variables, headers, parameters, JSON keys.

Names are glued together (`PGPASSWORD`, `hftoken`, `secretkey`), so most marks are looked for within
words. In machine learning, token and key also mean other things. The words beside tell these names
(`max_tokens`, `eos_token`, `sort_key`). A name that is not known to be harmless is a secret's.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_LETTERS = re.compile(r"[a-z]+")

# A name with one of these is a secret's, whatever else is in the name.
_WITHIN = re.compile(
    r"passw|passphrase|passcode|passkey|pwd|pw$|secret(?!ar)|credential|bearer|authorization|connstr"
    r"|mnemonic|webhook|oauth"
    r"|(?:api|access|account|admin|auth|consumer|deploy|encryption|host|license|master|private"
    r"|secret|session|shared|signing|ssh|storage|subscription)keys?"
)
_WHOLE = frozenset({"pat", "pats", "otp", "totp", "jwt", "cred", "creds", "sas", "sessid"})
_KEYS_OF = frozenset(
    {
        *("api", "access", "account", "admin", "auth", "consumer", "deploy", "encryption"),
        *("license", "master", "private", "secret", "shared", "signing", "ssh", "storage"),
    }
)
_PAIRS = frozenset({("connection", "string"), ("conn", "string"), ("conn", "str"), ("id", "token")})

# Marks that are also words of the field: token, key, pass, auth, session, cookie, signature.
_TOKENIZER = re.compile(r"tokeni[sz]\w*")
_NO_KEYS = frozenset({"monkey", "donkey", "turkey", "hotkey", "whiskey", "jockey", "hockey"})
_NO_PASS = frozenset(
    {
        *("bypass", "compass", "encompass", "surpass", "trespass", "overpass", "underpass"),
        *("onepass", "twopass", "singlepass", "multipass", "highpass", "lowpass", "bandpass"),
    }
)
_AUTH = re.compile(
    r"auth[nz]?|\w*auth|authenticat\w*|auth(?:token|code|string|header|data|pass|cookie)"
)

_HARMLESS_TOKEN = frozenset(
    {
        # Numbers and shapes.
        *("max", "min", "maximum", "minimum", "num", "n", "total", "dim", "dims", "size", "len"),
        *("length", "count", "counts", "limit", "budget", "number", "dropout", "drop", "rate"),
        *("ratio", "bucket", "window", "stride", "chunk", "per", "avg", "mean", "heads", "layers"),
        # Special ones of a vocabulary.
        *("pad", "padding", "eos", "bos", "sos", "eot", "unk", "mask", "masked", "sep", "cls"),
        *("blank", "special", "placeholder", "initializer", "modifier", "trigger", "prefix"),
        *("suffix", "stop", "start", "end", "begin", "forced", "bad", "suppress", "decoder"),
        *("encoder", "fill", "added", "additional", "extra", "boi", "eoi", "fim"),
        # What they are made of, and what is done with them.
        *("image", "img", "video", "audio", "vision", "visual", "text", "speech", "semantic"),
        *("patch", "latent", "learnable", "register", "prompt", "query", "word", "subword", "char"),
        *("character", "byte", "instance", "class", "concept", "context", "input", "output"),
        *("generated", "draft", "speculative", "thinking", "reasoning", "type", "types"),
        *("ids", "emb"),
        *("index", "idx", "pos", "position", "positions", "embedding", "embeddings", "embed"),
        *("classification", "level", "wise", "masking", "merging", "merge", "pruning", "mixing"),
        *("mixer", "shift", "loss", "weight", "weights", "norm", "head", "probs", "freq"),
        *("accuracy", "healing", "routing", "pooling", "pool", "sampler", "shuffle", "batch"),
        *(
            "train",
            "training",
            "eval",
            "warmup",
            "decay",
            "anneal",
            "seen",
            "consumed",
            "timestamps",
        ),
    }
)
_ISSUERS = frozenset(
    {
        *("access", "api", "app", "auth", "bot", "client", "csrf", "xsrf", "deploy", "discord"),
        *("gh", "github", "gitlab", "hf", "hub", "hugging", "huggingface", "identity", "jwt"),
        *("login", "npm", "oauth", "openai", "personal", "push", "pypi", "refresh", "registry"),
        *("security", "service", "session", "slack", "sso", "sts", "telegram", "upload", "user"),
        *("vault", "wandb"),
    }
)
"""If one of these words is in its name, a token is a secret, whatever other words are there."""

_HARMLESS_KEY = frozenset(
    {
        *("sort", "group", "primary", "foreign", "index", "column", "public", "pub", "join"),
        *("text", "image", "img", "audio", "video", "label", "labels", "caption", "prompt"),
        *("response", "input", "inputs", "output", "outputs", "target", "targets", "source"),
        *("data", "dataset", "field", "feature", "features", "batch", "sample", "state", "dict"),
        *("json", "map", "metric", "metrics", "monitor", "loss", "score", "mask", "query"),
        *("instruction", "question", "answer", "context", "content", "class", "category", "id"),
        *("reward", "obs", "observation", "action", "time", "cache", "partition", "hot", "prng"),
        *("rng", "random", "attention", "attn", "chosen", "rejected", "messages", "depth"),
        *("pos", "ckpt", "checkpoint", "x", "y"),
    }
)
_HARMLESS_PASS = frozenset(
    {
        *("through", "rate", "at", "k", "filter", "manager", "config", "count", "num", "n", "max"),
        *("single", "first", "second", "two", "one", "multi", "forward", "backward", "by", "high"),
        *("low", "band", "all", "double", "final", "render", "train", "eval", "per"),
    }
)
_HARMLESS_SESSION = frozenset(
    {
        *("name", "dir", "type", "timeout", "length", "len", "count", "num", "n", "max", "min"),
        *("config", "gap", "per", "window", "size", "manager", "path", "log", "based", "column"),
    }
)
_HARMLESS_AUTH = frozenset(
    {
        *("type", "method", "mode", "provider", "url", "host", "server", "port", "backend"),
        *("scheme", "timeout", "enabled", "required", "service", "no", "module"),
    }
)
_HARMLESS_SIGNATURE = frozenset({"def", "defs", "function", "name", "columns", "type"})

_LONGEST = 200
"""How many characters of a name are looked at, from the name's end."""

NOTHING = frozenset({"", "true", "false", "none", "null", "yes", "no", "on", "off"})
"""Values that are no secret, whatever the name is."""

_NUMBER = re.compile(r"[-+]?[\d_,]{0,20}\.?\d{1,20}(?:e[-+]?\d{1,4})?[kKmMbBgGtT%]?", re.ASCII)
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.~-]{6,}", re.ASCII)


def is_secret(name: str, value: str | None = None) -> bool:
    """Return whether a variable, an option or a key is a secret.

    Args:
        name: the name, with or without dashes before it.
        value: the value, if it is known. A number of tokens is no secret. A value that looks random
            is a secret if only a word beside makes the name harmless.
    """
    if value is not None and value.strip("'\"").lower() in NOTHING:
        return False
    kind = _kind(name)
    if kind == "harmless" and value is not None:
        return looks_random(value)
    if kind == "directory" and value is not None:
        return not value.startswith(("/", "$", ".", "~"))  # the shell's variable
    if kind == "number" and value is not None:
        return _NUMBER.fullmatch(value) is None
    return kind in ("secret", "number", "variable")


def looks_random(value: str) -> bool:
    """Return whether a value is of letters and digits, without white space, and no number."""
    value = value.strip("'\"")
    return _RANDOM.fullmatch(value) is not None and _NUMBER.fullmatch(value) is None


def is_variable(name: str) -> bool:
    """Return whether a name is `key`, `pass` or `session` alone: texts have other uses of these."""
    return _kind(name) == "variable"


def is_certain(name: str) -> bool:
    """Return whether a name is `password`, or of several words with such an end.

    An example is `aws_secret_access_key`. The value follows such a word even if the word is no
    option: `git config user.password x`.
    """
    parts = _parts(name) or [""]
    ends = ("key", "token", "password", "passwd", "secret", "passphrase", "bearer")
    several = len(parts) > 1 or parts[0] in ("bearer", "password", "passwd", "passphrase")
    return several and parts[-1] in ends and _kind(name) == "secret"


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """Return the kind of a name.

    "secret"; "number", a secret's unless its value is one; "directory", unless its value is one;
    "variable", see `is_variable`; "harmless", a secret's where its value looks random; or "".
    """
    name = name[-_LONGEST:]
    parts = _parts(name)
    # Words are split at capitals, and as a whole as well, because of names such as tOKEN.
    words = [*parts, *(word for word in _LETTERS.findall(name.lower()) if word not in parts)]
    if any(_WITHIN.search(word) or word in _WHOLE for word in words):
        return "directory" if name in ("PWD", "OLDPWD") else "secret"
    if any(pair in _PAIRS or _is_key_of(*pair) for pair in pairwise(parts)):
        return "secret"
    joined = "".join(parts)
    if joined == "pin" or "mfa" in parts or "2fa" in joined:
        return "secret"
    kinds = {_weak(word, parts) for word in words}
    return next(
        (kind for kind in ("secret", "number", "variable", "harmless") if kind in kinds), ""
    )


def _is_key_of(first: str, second: str) -> bool:
    return first in _KEYS_OF and second in ("key", "keys")


def _weak(word: str, parts: Sequence[str]) -> str:
    """Return the kind that one word gives to the name; the kinds are those of `_kind`."""
    others = [part for part in parts if part != word]
    if parts in (["session"], ["pass"]):
        return "variable"
    if "token" in _TOKENIZER.sub("", word):
        if _ISSUERS.isdisjoint(others) and not _HARMLESS_TOKEN.isdisjoint(others):
            return "harmless"
        return "number" if word == "tokens" else "secret"
    if word.endswith("key") and parts[-1:] == [word] and word not in _NO_KEYS:
        before = word.removesuffix("key") or (parts[-2] if len(parts) > 1 else "")
        if not before:
            return "variable"
        return "harmless" if before in _HARMLESS_KEY else "secret"
    for is_found, harmless in (
        (word.endswith("pass") and word not in _NO_PASS, _HARMLESS_PASS),
        (_AUTH.fullmatch(word) is not None, _HARMLESS_AUTH),
        (word.startswith("session"), _HARMLESS_SESSION),
        ("cookie" in word and "cookiecutter" not in word, frozenset[str]()),
        (word in ("sig", "signature") and parts[-1:] == [word], _HARMLESS_SIGNATURE),
    ):
        if is_found:
            return "secret" if harmless.isdisjoint(others) else "harmless"
    return ""
