# SPDX-License-Identifier: Apache-2.0
"""Take secrets out of command lines: out of single words, and the words behind an option."""

import re
from collections.abc import Iterable, Iterator

from seed_init.proof.redaction import secret_names
from seed_init.proof.redaction.secret_names import is_secret
from seed_init.proof.redaction.secret_texts import REDACTED, without_secrets

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "fish"})
_SHORT_OPTIONS = {
    "curl": "uUbE",
    "sshpass": "p",
    "redis-cli": "a",
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "rabbitmqadmin"), "p"),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"), "w"),
    **dict.fromkeys(("smbclient", "lftp"), "Uu"),
    **dict.fromkeys(("zip", "unzip", "sqlcmd", "bcp", "ipmitool"), "P"),
}
"""Program -> the one-letter options whose value is a secret."""

_GLUED_OPTIONS = dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb", "7z", "7za"), "p")
"""Program -> such an option, if the value is only ever in the same word as the option."""

_USER_OPTIONS = frozenset({"-u", "-U", "--user", "--userpwd", "--proxy-user"})
_OF_A_VARIABLE = frozenset({"-e", "--env", "-u", "-m", "--module", "export", "unset", "printenv"})
"""Behind these words stands the name of a variable or a module, which no value follows."""

_NAMED = re.compile(r"['\"]?(-{0,2}|[–—]|/|\+)(\w[\w.-]*)['\"]?([=:]?)['\"]?")
_LONG_OPTION = re.compile(r"--[a-z][a-z0-9_-]{2,}(?:=.*)?", re.DOTALL)
_NO_VALUE = re.compile(
    r"-|[;&|<>(){}]|[A-Za-z_][\w.-]*=.|.*\.(?:py|ipynb|sh|json|ya?ml|toml|txt|csv|jsonl|parquet|pt)\Z"
)
_USER_AND_PASSWORD = re.compile(r"\A((?:--[a-z-]+=)?[^\s:]+):(?!\d+\Z)(?!//).+", re.DOTALL)
_SHELL_WORD = re.compile(
    r"\s+|(?:<redacted>|[^\s'\"\\;&|()<>]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+|[;&|()<>]", re.DOTALL
)
# With a substitution, a here-document or an assignment with blanks, words are not what they seem.
_NOT_BY_WORDS = re.compile(r"`|\$\(|<<|\s:?=\s")

_SHOWN, _ONE_HIDDEN, _ALL_HIDDEN, _MORE_HIDDEN = range(4)
"""What happens to the next word. _SHOWN: it is shown. _ONE_HIDDEN: it alone is hidden. _ALL_HIDDEN:
it is hidden, and so are the words behind it that are no option, no `name=value` and no file.
_MORE_HIDDEN: it is hidden if it is such a word."""


class _CommandLine:
    """Iterates over the words of a command line as they are shown."""

    def __init__(self, argv: Iterable[str]) -> None:
        self.words = list(argv)
        self.is_shell = False
        self.short = ""  # letters of the options with a secret, of all programs so far
        self.glued = ""

    def __iter__(self) -> Iterator[str]:
        state = _SHOWN
        for number, word in enumerate(self.words):
            before = self.words[number - 1] if number else ""
            behind = self.words[number + 1] if number + 1 < len(self.words) else None
            following = self._following(before, word, behind)
            if _is_hidden(word, state):
                yield REDACTED
                state = following or (_SHOWN if state == _ONE_HIDDEN else _MORE_HIDDEN)
            else:
                yield self._shown(before, word)
                state = following
            self._note_program(before, word)

    def _note_program(self, before: str, word: str) -> None:
        name = word.rpartition("/")[2]
        if not word.startswith("-"):
            self.is_shell = name in _SHELLS
        self.short += _SHORT_OPTIONS.get(name, "")
        self.glued += _GLUED_OPTIONS.get(name, "")
        if word == "login" and before in ("docker", "podman", "nerdctl", "registry"):
            self.short += "p"

    def _following(self, before: str, word: str, behind: str | None) -> int:
        """Return what a word says about the next word."""
        if behind is None:
            return _SHOWN
        if len(word) == 2 and word[0] == "-" and word[1] in self.short:
            return _ONE_HIDDEN
        if word == "login" and secret_names.looks_random(behind) and len(behind) >= 16:
            return _ONE_HIDDEN
        named = _NAMED.fullmatch(word)
        if named is None:
            return _SHOWN
        sign, name, assigned = named.groups()
        if sign or assigned:
            return _ALL_HIDDEN if is_secret(name, behind) else _SHOWN
        if before in _OF_A_VARIABLE or not secret_names.is_certain(name):
            return _SHOWN
        return _ALL_HIDDEN if behind in ("=", ":", ":=") else _ONE_HIDDEN

    def _shown(self, before: str, word: str) -> str:
        is_code = re.fullmatch(r"-[a-z]*c", before) is not None
        if is_code and self.is_shell:
            return _script(word)
        letters = self.short + self.glued
        if letters and len(word) > 2 and word[0] == "-" and word[1] in letters:
            return f"{word[:2]}{REDACTED}"
        if before in _USER_OPTIONS or word.startswith(("--user=", "--userpwd=", "--proxy-user=")):
            word = _USER_AND_PASSWORD.sub(rf"\1:{REDACTED}", word)
        return without_secrets(word, is_word=not is_code)


def _is_hidden(word: str, state: int) -> bool:
    if state == _SHOWN or word.lower() in secret_names.NOTHING:
        return False
    if state == _MORE_HIDDEN:
        return _NO_VALUE.match(word) is None
    # A secret may begin with a dash.
    return _LONG_OPTION.fullmatch(word) is None


def _script(command: str) -> str:
    """Return a shell's command without secrets: by words, or as one text."""
    pieces = _SHELL_WORD.findall(command)
    if "".join(pieces) != command or _NOT_BY_WORDS.search(command):
        return without_secrets(command, is_word=True)
    shown = iter(words_without_secrets(piece for piece in pieces if not piece.isspace()))
    return "".join(piece if piece.isspace() else next(shown) for piece in pieces)


def words_without_secrets(argv: Iterable[str]) -> list[str]:
    """Return a command line without secrets, in its words and as words behind an option.

    Args:
        argv: the words of the command line.
    """
    return list(_CommandLine(argv))
