"""Check the lines of authorized_keys as sshd reads them, and say what sshd would not.

Usage: ssh_keys.py NAME FILE [NAME FILE ...], with the names by which users know the files

sshd skips a line that it cannot use without a word, and whoever it belongs to cannot log in.
`ssh-keygen -l` is no check: it also takes lines of known_hosts and options that sshd does not know.
So the options are read here as sshauthopt_parse in OpenSSH's auth-options.c reads them; the key
itself is left to ssh-keygen, which decodes it with the code that sshd has.

Exit status: 78 with one line on stderr for the first line that lets nobody in, or if no file has
a key. Otherwise 0; a key whose time is over is named on stdout.
"""

import base64
import binascii
import datetime
import ipaddress
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

EX_CONFIG = 78
"""Exit status of a refusal: "configuration error" in sysexits.h."""

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
"""What sshd takes with its own PubkeyAcceptedAlgorithms, from OpenSSH 8.2 on.

The last two are names of signatures; sshd reads them as ssh-rsa.
"""

RSA_LEAST = 1024
"""Bits: SSH_RSA_MINIMUM_MODULUS_SIZE in OpenSSH's sshkey.h."""

CERTIFICATE = re.compile(r"\S+-cert-v0[01]@openssh\.com")
RETIRED = ("ssh-dss", "ssh-dsa")

FLAGS = re.compile(
    r"restrict|cert-authority|(?:no-)?(?:port-forwarding|agent-forwarding|x11-forwarding"
    r"|touch-required|verify-required|pty|user-rc)",
    re.I,
)
_HOST = r"(?:\[[^]]+\]|[^][:/]+)"
_PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]|\*)"
VALUES = {
    "command": (re.compile(r".*"), "…"),
    "environment": (re.compile(r"\w+=.*", re.A), "NAME=…"),
    # A time zone behind it is known from OpenSSH 9.1 on; the container's is UTC.
    "expiry-time": (re.compile(r"\d{8}(?:\d{4}(?:\d\d)?)?"), "YYYYMMDD or YYYYMMDDHHMM"),
    "from": (re.compile(r".+"), "10.0.0.0/8,*.example.org"),
    "permitlisten": (re.compile(rf"(?:{_HOST}:)?{_PORT}"), "PORT or HOST:PORT"),
    "permitopen": (re.compile(rf"{_HOST}:{_PORT}"), "HOST:PORT"),
    "principals": (re.compile(r".*"), "…"),
    "tunnel": (re.compile(r"any|\d+"), "NUMBER"),
}
"""Options with a value: what is accepted, and how it is written."""

ONCE = ("command", "from", "principals")
"""Options that sshd takes one time in a line."""

KEY_BEGINS = rf"(?:{'|'.join(map(re.escape, KEY_TYPES))})[ \t]+AAAA"
LETTERS = re.compile(r"[A-Za-z0-9+/]+={0,2}")
"""Base64: a piece of a key, maybe of a private one, which is never shown."""

BEGIN = "begin with the type of the key, such as ssh-ed25519, or with options of authorized_keys"
COPY = "use a line as ssh-keygen writes it into id_ed25519.pub"


class NoKey(Exception):
    """A line that lets nobody in. Its text says what was given and what to do."""


def check(line: str, following: str = "") -> str | None:
    """Check one line that is neither empty nor a comment.

    Args:
        line: its text, without the line's end.
        following: the line behind it, where a key that was wrapped goes on.

    Returns:
        What its owner should know although the line is right; None for nothing.

    Raises:
        NoKey: sshd would not let anybody in for it.
    """
    refuse_other_things(line)
    options, rest = read_options(line.strip(" \t\r"))
    kind, _, rest = rest.partition(" ")
    if kind not in KEY_TYPES:
        raise no_type(kind, rest)
    blob, _, comment = rest.strip().partition(" ")
    if not can_be_decoded(f"{kind} {blob}"):
        raise damaged(kind, blob, following)
    if re.search(KEY_BEGINS, comment):
        raise NoKey("has a second key behind the first; write each on a line of its own")
    return check_values(options)


def refuse_other_things(line: str) -> None:
    """Raise NoKey for what is pasted in the place of a public key."""
    text = line.strip()
    if "PRIVATE KEY" in text or text.startswith(("PuTTY-User-Key-File", "b3BlbnNzaC1rZXkt")):
        raise NoKey(
            "is a private key, which nobody but its owner may have; use the public one, the "
            "text of the file whose name ends in .pub"
        )
    if line.startswith("\ufeff"):
        raise NoKey("begins with a byte order mark; save the text as UTF-8 without one")
    if text.startswith(("'", '"')):
        raise NoKey(f"begins with a quotation mark (docker --env-file keeps them); {BEGIN}")
    if text.startswith(("---- BEGIN", "-----BEGIN")):
        raise NoKey(
            "is not in OpenSSH's format; use what 'ssh-keygen -i -f FILE' prints (for PEM with "
            "'-m PKCS8')"
        )
    if re.match(r"(?:\d+ )?(?:SHA256:|MD5:)\S", text):
        raise NoKey(f"is the fingerprint of a key; {COPY}")
    if re.fullmatch(r"(?:~|\.{0,2}/)\S*|\S+\.pub", text):
        raise NoKey('is the name of a file; give the text of the public one: "$(cat FILE.pub)"')
    if re.match(r"\|1\||@(?:cert-authority|revoked)\s", text):
        raise NoKey(f"is a line of known_hosts; {BEGIN}")


def read_options(line: str) -> tuple[list[tuple[str, str]], str]:
    """Split a line into its options and what follows them, with one blank between words.

    Raises:
        NoKey: an option that sshd does not know.
    """
    options: list[tuple[str, str]] = []
    first = re.split(r"[ \t]", line, maxsplit=1)[0]
    known = first in (*KEY_TYPES, *RETIRED) or CERTIFICATE.fullmatch(first)
    place = 0
    while not known and line[place : place + 1] not in ("", " ", "\t"):
        if line[place] == ",":
            place += 1  # sshd takes several of them, and one at the end
            continue
        name, value, place = read_option(line, place)
        if name in ONCE and name in dict(options):
            raise NoKey(f"has the option {name} twice; sshd takes it once")
        options.append((name, value))
    return options, " ".join(re.split(r"[ \t]+", line[place:].strip(" \t")))


def read_option(line: str, place: int) -> tuple[str, str, int]:
    """The option at `place`: its name in lower case, its value ("" for a flag), and its end."""
    word = re.compile(r"[^ \t,=\"]*").match(line, place)
    assert word is not None
    name, end = word[0].lower(), word.end()
    if line[end : end + 2] == '="' and name in VALUES:
        value, end = read_value(line, end + 2, name)
        if line[end : end + 1] not in ("", ",", " ", "\t"):
            raise NoKey(f"has something behind the value of {name}; put a comma or a blank there")
        return name, value, end
    if name in VALUES:
        raise NoKey(f"has the option {name} without a quoted value; write {form(name)}")
    if FLAGS.fullmatch(name) and line[end : end + 1] in ("", ",", " ", "\t"):
        return name, "", end
    raise no_option(line, word[0])


def read_value(line: str, place: int, name: str) -> tuple[str, int]:
    """The quoted value that begins at `place`, and its end; only a quotation mark is escaped."""
    value = ""
    while place < len(line):
        if line.startswith('\\"', place):
            value += '"'
            place += 2
        elif line[place] == '"':
            return value, place + 1
        else:
            value += line[place]
            place += 1
    raise NoKey(f"has no quotation mark at the end of the value of {name}; write {form(name)}")


def no_option(line: str, word: str) -> NoKey:
    """The refusal of a line that begins with neither a type nor an option that sshd knows."""
    key = re.search(KEY_BEGINS, line)
    if key is None and '="' not in line and not CERTIFICATE.search(line):
        # Not shown: it may be a token, or a line out of the middle of a private key.
        what = "a piece of base64" if len(line) > 32 and LETTERS.fullmatch(line) else "text"
        return NoKey(f"is {what} of {len(line)} characters that holds no public key; {COPY}")
    hint = ""
    if key and line[: key.start()].strip() == word and re.search(r"[.:\[\d*]", word):
        hint = " (is this a line of known_hosts?)"
    return NoKey(f"begins with {shown(word)}, which is no option of sshd's{hint}; {BEGIN}")


def no_type(kind: str, rest: str) -> NoKey:
    """The refusal of a line with `kind` in the place of a type, and `rest` behind it."""
    if CERTIFICATE.fullmatch(kind):
        return NoKey(
            "is a certificate; use the public key, or cert-authority and the key that signs"
        )
    if kind in RETIRED:
        return NoKey(
            f"is of type {kind}, which sshd does not accept; make a key of type ssh-ed25519"
        )
    if not kind:
        return NoKey(f"has options but no key behind them; {COPY}")
    # Shown only where a key follows: it may be a piece of a private one.
    what = shown(kind) if re.search(KEY_BEGINS, rest) else "something else"
    return NoKey(f"has {what} where the type of a key is wanted; {COPY}")


def can_be_decoded(key: str) -> bool:
    """True if OpenSSH can read `key`, a type and base64."""
    # Nothing but the two words: ssh-keygen skips words in front of a key.
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"],
        input=f"{key}\n".encode("utf-8", "surrogateescape"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return done.returncode == 0


def damaged(kind: str, blob: str, following: str) -> NoKey:
    """The refusal of a key that OpenSSH cannot read."""
    word = (following.split() or [""])[0]
    if LETTERS.fullmatch(word) and (not blob or len(word) > 8):
        return NoKey(
            f"has the beginning of an {kind} key that goes on in the line below; join them"
        )
    if not blob:
        return NoKey(f"has {kind} without a key behind it; {COPY}")
    inside = fields(blob)
    said = inside[0].decode("ascii", "replace") if inside else kind
    if said in KEY_TYPES and said != ("ssh-rsa" if kind.startswith("rsa-sha2-") else kind):
        return NoKey(f"has {kind} in front of a key of type {said}; {COPY}")
    if said == "ssh-rsa" and len(inside) == 3:
        bits = int.from_bytes(inside[2], "big").bit_length()
        if bits < RSA_LEAST:
            return NoKey(
                f"is an RSA key of {bits} bits; sshd accepts {RSA_LEAST} and more, or an "
                "ssh-ed25519 key"
            )
    return NoKey(f"has an {kind} key that is cut short or damaged; {COPY}")


def fields(blob: str) -> list[bytes]:
    """The fields of a key, each behind its length (RFC 4253, 6.6), as far as they are whole."""
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return []
    found = []
    while len(data) >= 4:
        end = 4 + int.from_bytes(data[:4], "big")
        if end > len(data):
            break
        found.append(data[4:end])
        data = data[end:]
    return found


def check_values(options: list[tuple[str, str]]) -> str | None:
    """Check what the options say; as `check` does."""
    said = None
    names = dict(options)
    if "principals" in names and "cert-authority" not in names:
        raise NoKey("has principals without cert-authority; sshd takes them for certificates only")
    for name, value in options:
        if name in VALUES and not VALUES[name][0].fullmatch(value):
            # Not shown: what somebody takes for a variable may be a secret.
            raise NoKey(f"has a value of {name} that sshd does not accept; write {form(name)}")
        if name == "from":
            check_networks(value)
        if name == "expiry-time" and is_over(value):
            said = f"nobody logs in with this key, its expiry-time {value} is over"
    return said


def check_networks(patterns: str) -> None:
    """Raise NoKey for a network that sshd takes for a mistake (addr_pton_cidr in addr.c)."""
    for pattern in patterns.split(","):
        text = pattern.strip().removeprefix("!")
        if re.fullmatch(r"[0-9A-Fa-f.:]+/\d+", text):
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise NoKey(f"has from={shown(patterns)}, but {error}") from None


def is_over(moment: str) -> bool:
    """True for an expiry-time in the past; it is in the container's time zone."""
    day = int(moment[6:8])
    try:
        # The 30th of February is the 2nd of March for sshd (mktime).
        month = datetime.datetime.strptime(f"{moment[:6]}01{moment[8:]:0<6}", "%Y%m%d%H%M%S")
    except ValueError:
        day = 0
    if not 1 <= day <= 31:
        raise NoKey(
            f"has expiry-time={shown(moment)}, which is no date; write {form('expiry-time')}"
        )
    return month + datetime.timedelta(days=day - 1) < datetime.datetime.now()


def form(name: str) -> str:
    """How an option is written."""
    return f'{name}="{VALUES[name][1]}"'


def shown(text: str) -> str:
    """Some of a word, in quotes and in ASCII."""
    return ascii(text if len(text) <= 30 else f"{text[:30]}...")


def fail(line: str) -> NoReturn:
    print(f"seed_init: {line}", file=sys.stderr)
    sys.exit(EX_CONFIG)


def main() -> None:
    keys = 0
    for name, file in zip(sys.argv[1::2], sys.argv[2::2]):
        # Lines end where sshd ends them; splitlines() knows more ends.
        lines = Path(file).read_bytes().decode("utf-8", "surrogateescape").split("\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip(" \t").startswith("#"):
                continue
            try:
                said = check(line, lines[number] if number < len(lines) else "")
            except NoKey as error:
                fail(f"{name}, line {number} {error}")
            if said:
                print(f"{name}, line {number}: {said}")
            else:
                keys += 1
    if not keys:
        fail(
            "no public key may log in; set SSH_AUTHORIZED_KEYS to the text of one (ssh-keygen "
            "makes ~/.ssh/id_ed25519.pub), or mount a file on /etc/seed_init/authorized_keys"
        )


if __name__ == "__main__":
    main()
