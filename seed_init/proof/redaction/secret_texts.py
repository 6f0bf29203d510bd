# SPDX-License-Identifier: Apache-2.0
"""Take secrets out of texts: what follows a secret's name, and what has the form of a secret.

If the name of a secret is found, everything after it is left out, to the end of the text, because
no rule knows where a password ends.
"""

import re
from itertools import islice

from seed_init.proof.redaction import secret_names
from seed_init.proof.redaction.secret_names import is_secret

REDACTED = "<redacted>"

# The beginnings by which services make their secrets recognisable. They are from detect-secrets'
# plugins and the services' own documentation. If the beginning is also a common word, a digit is
# asked for. Repetitions are bounded, because the pattern is tried at each position of a text.
_LONG = r"(?=[A-Za-z_.-]{0,200}\d)[\w.-]{16,}"
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    # Source code and packages.
    r"gh[pousr]_\w{8,}|github_pat_\w{8,}|gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{8,}"
    r"|GR1348941[\w-]{8,}|npm_\w{16,}|pypi-Ag[\w-]{16,}|rubygems_[0-9a-f]{16,}|AKCp\w{10,}"
    r"|dckr_[op]at_[\w-]{8,}|AT(?:ATT|BB)\w{16,}"
    # Clouds.
    r"|(?:AKIA|ASIA|ABIA|ACCA|LTAI|AKID)[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{10,}"
    r"|GOCSPX-[\w-]{10,}|do[opr]_v1_\w{16,}|HRKU-[\w-]{16,}|hv[sbr]\.[\w-]{16,}|\w{3}\dQ~[\w~.-]{30,}"
    r"|\w{10,16}\.atlasv1\.[\w-]{16,}|tskey-[\w-]{8,}|dapi[0-9a-f]{32}|AGE-SECRET-KEY-1\w{16,}"
    # Models and experiments.
    r"|hf_(?:(?=[A-Za-z]{0,200}\d)[A-Za-z0-9]{10,}|[A-Za-z0-9]{30,})|wandb_v\d_\w{16,}|nvapi-[\w-]{16,}"
    r"|sk-(?:(?:proj|ant|or|svcacct|admin|lf)-[\w-]{8,}|(?=[A-Za-z_-]{0,200}\d)[\w-]{12,})"
    rf"|(?:r8_|gsk_|pplx-|xai-|lsv2_|ls__|fw_|tvly-|jina_|sess-|a[ks]-){_LONG}|sk_[0-9a-f]{{32,}}"
    # Payments, messages and the rest.
    r"|(?:sk|rk|pk)_(?:live|test)_\w{8,}|whsec_[\w+/=]{16,}|sq0[a-z]{3}-[\w-]{16,}|EAAA[\w-]{40,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|xox[a-z]-[\w-]+|xapp-\d-[\w-]+|(?:AC|SK)[0-9a-f]{32}"
    r"|[0-9a-f]{32}-us\d{1,2}|key-[0-9a-f]{32}|\d{8,10}:[\w-]{35}"
    r"|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|PMAK-[\w-]{16,}|shp[a-z]{2}_\w{16,}"
    rf"|(?:lin_api_|ntn_|secret_|pul-|nfp_|gl(?:sa|c)_|NRAK-|sntry[su]_|figd_|sbp_|pscale_){_LONG}"
    rf"|(?:dp\.[a-z]+\.|pnu_|ph[cx]_|pat-){_LONG}"
    # JSON in base 64: tokens of the web, Neptune, Grafana. Keys of SSH and PEM in base 64.
    r"|eyJ[\w-]{8,}[\w.=-]*|b3BlbnNzaC1rZXkt[\w+/=]*|LS0tLS1CRUdJTi[\w+/=]*)"
)
_WEBHOOK = re.compile(
    r"(hooks\.slack\.com|discord(?:app)?\.com/api/webhooks|webhook\.office\.com"
    r"|hooks\.zapier\.com|api\.telegram\.org)/[^\s\"']+"
)
_PRIVATE_KEY = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File")
_BEARER = re.compile(r"\b([Bb]earer|BEARER|Basic(?= \S*[0-9=A-Z]))\s+[^\s'\"]+")
_ELEMENT = re.compile(r"<([A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>(?=[^<])")

_NAME = re.compile(r"-{0,2}\w[\w.-]*")
# Between a name and its value: signs, quotes and brackets that close, as they are or escaped.
_CLOSING = r"(?:[\\'\"\])}]|%2[27]|\[[^\]\s]{0,40}\]|&quot;)*"
_SEPARATOR = re.compile(
    rf"{_CLOSING}\s*(?::=|=>|=|:(?!//)|%3[ADad])\s*|\s*\(\s*(?=['\"])|(?<=login)\s*\(\s*(?=['\"])"
)
# os.environ.setdefault("HF_TOKEN", "x"): of a variable's name only, as lists have names as well.
_ARGUMENT = re.compile(r"(?<=[A-Z0-9_])\\?['\"]\s*,\s*(?=\\?[rbuf]?\\?['\"])")
# ["--token", "x"]: of an option, in a list of words; such a list of YAML has a word on each line.
_LISTED = re.compile(
    r"\\?['\"]\s*,\s*(?=\\?[rbuf]{0,2}\\?['\"])|['\"]?[^\S\n]*\n\s*-[^\S\n]+(?=\S)"
)
# URLs with these schemes have no user, and may have an @ in their paths.
_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "hf", "file", "hdfs", "dbfs", "docker", "oci"})
_SCHEME = re.compile(r"([A-Za-z][\w+.-]{0,40})://")
_WHOLE_URL = re.compile(r"(?:-{0,2}[\w.-]{1,60}=)?['\"]?[A-Za-z][\w+.-]{0,40}://")
_LOCAL = re.compile(r"(?:localhost|\d+(?:\.\d+){3})(?::\d+)?")
_MOST_URLS = 20
_RUN = re.compile(r"\S+")
# user:password@host, and words with two @. Bounded, because it is tried at each position of a text.
_PAIR = re.compile(
    r"(?<![\w/:@.+-])[A-Za-z_][\w.+-]{0,60}"
    r"(?::(?!//)\S{0,500}@(?=[\w-]+(?:\.[\w-]+)+|localhost|[\w-]+:\d)|@\S{0,500}@)(?!sha256:)"
)
_BLANK = re.compile(r"\s+(?=\S)")
_FIRST = re.compile(r"[\\'\"\[({\s]{0,20}(\"[^\"]{0,500}\"|'[^']{0,500}'|[^\s,;&'\")\]}]{1,500})")
_EMPTY = re.compile(r"(?:''|\"\")(?=[\s,;)}\]])")
_PASSWORD_ALONE = frozenset({"password", "passwd", "passphrase"})


def without_secrets(text: str, is_word: bool = False) -> str:
    """Return a text without what follows the name of a secret, and without what looks like one.

    Args:
        text: a message, a line of code or output, or a word of a command line.
        is_word: whether the text is a word of a command line, in which `key` and `session` are
            names of secrets as well.
    """
    shown = _without_named(text, is_word)
    shown = _KNOWN.sub(REDACTED, shown)
    shown = _WEBHOOK.sub(rf"\1/{REDACTED}", shown)
    shown = _BEARER.sub(rf"\1 {REDACTED}", shown)
    return _without_user(shown)


def _without_named(text: str, is_word: bool) -> str:
    """Return the text up to the first secret that has a name, and then the mark REDACTED."""
    start = named_at(text, is_word)
    return text if start is None else f"{text[:start]}{REDACTED}"


def named_at(text: str, is_word: bool = False) -> int | None:
    """Return where the first secret that has a name, or is a private key, begins in a text.

    Args:
        text: of any number of lines.
        is_word: as for `without_secrets`.
    """
    key = _PRIVATE_KEY.search(text)
    before = text if key is None else text[: key.start()]
    for name in _NAME.finditer(before):
        start = _value_of(before, name, is_word)
        if start is not None:
            return start
    for name in _ELEMENT.finditer(before):
        if is_secret(name[1]):
            return name.end()
    return None if key is None else key.start()


def _value_of(text: str, name: "re.Match[str]", is_word: bool) -> int | None:
    """Return where the value of a secret's name begins; None if there is no secret or no value."""
    is_option = name[0].startswith("-")
    separator = _SEPARATOR.match(text, name.end())
    if separator is None and name[0].isupper():
        separator = _ARGUMENT.match(text, name.end())
    if separator is None and is_option:
        separator = _LISTED.match(text, name.end())
    if separator is None and (is_option or name[0].lower() in _PASSWORD_ALONE):
        separator = _BLANK.match(text, name.end())
    if separator is None or separator.end() == len(text) or _EMPTY.match(text, separator.end()):
        return None
    first = _FIRST.match(text, separator.end())
    value = first[1] if first is not None else text[separator.end() : separator.end() + 64]
    if name[0].endswith("login") and separator[0].lstrip().startswith("("):
        return separator.end()
    if secret_names.is_variable(name[0]) and not (is_word or is_option):
        hidden = text[separator.end()] in "'\"" or secret_names.looks_random(value)
    else:
        hidden = is_secret(name[0], value)
    return separator.end() if hidden else None


def _without_user(text: str) -> str:
    """Return a text without the users and passwords of URLs and of `user:password@host`."""
    if "@" not in text:
        return text
    # A word that is a URL is one to its end: a password may have blanks in it.
    is_url = _WHOLE_URL.match(text) is not None
    shown = (
        _without_user_of(text) if is_url else _RUN.sub(lambda run: _without_user_of(run[0]), text)
    )
    return _PAIR.sub(f"{REDACTED}@", shown)


def _without_user_of(run: str) -> str:
    """Return a text without the user of the first URL in it that has one.

    A password may have any sign in it, so everything up to the last `@` is left out.

    Args:
        run: a text without blanks, or a URL.
    """
    at = run.rfind("@")
    for scheme in islice(_SCHEME.finditer(run, 0, max(at, 0)), _MOST_URLS):
        if _is_user(scheme[1], run[scheme.end() : at], run[at + 1 :]):
            return f"{run[: scheme.end()]}{REDACTED}{run[at:]}"
    return run


def _is_user(scheme: str, before: str, after: str) -> bool:
    """Return whether the text between `scheme://` and an `@` is a user, and perhaps a password."""
    host, slash, _ = before.partition("/")
    if not slash:
        return True
    if after.startswith("sha256:") or _LOCAL.fullmatch(host):
        return False
    # A path has an @ in it (`https://host.org/repository@v1`), or a password has a slash.
    return ":" in host or "@" in host or not (scheme.lower() in _STORES or "." in host or not host)
