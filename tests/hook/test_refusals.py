"""A setting that is not in the contract stops every process before user code runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import output, run

from .support import write_defaults

FLAG = "0 or 1"
SEED = "a whole number from 0 to 4294967295, random, off, array or 7+array"
# Not read from seed_init.hook.startup: this is the contract, and a change to it should be seen.
ACCEPTED = {
    "SEED": SEED,
    "DETERMINISM": "off, fast, warn, strict or portable",
    "CUDNN_DETERMINISTIC": FLAG,
    "CUDNN_BENCHMARK": FLAG,
    "CUDNN_ALLOW_TF32": FLAG,
    "TORCH_ALLOW_TF32": FLAG,
    "TORCH_FILL_UNINITIALIZED_MEMORY": FLAG,
    "TORCH_DETERMINISTIC_ALGORITHMS": "0, warn or 1",
    "SEED_INIT": "0 or leave it unset",
    "SEED_INIT_LOG": "quiet, info or debug",
    "SEED_INIT_UNSEEDED": "derive, warn or leave",
    "SEED_INIT_RESEED": "honour or mix",
    "SEED_INIT_RANKS": "same or distinct",
    "SEED_INIT_CHILDREN": "distinct or inherit",
    "SEED_INIT_TASKS": "distinct, same or leave",
    "SEED_INIT_POOLS": "worker or item",
    "SEED_INIT_NOTEBOOK": "kernel or cell",
    "SEED_INIT_RESTART": "a whole number from 0 to 4294967295 or leave it unset",
    "SEED_INIT_THREADS": "a whole number from 1 to 1024 or leave it unset",
}
PATHS = ("SEED_INIT_TRACE", "SEED_INIT_RECORD")
ANY_TEXT = (*PATHS, "CUBLAS_WORKSPACE_CONFIG", "SEED_INIT_WORKER")

LONG = "x" * 5000
BAD_TEXTS = {
    "a word": ("banana", "'banana'"),
    "upper case": ("WARN", "'WARN'"),
    "a float": ("1.5", "'1.5'"),
    "negative": ("-1", "'-1'"),
    "too large": (str(2**32), "'4294967296'"),
    "hexadecimal": ("0x10", "'0x10'"),
    "very long": (LONG, f"'{'x' * 40}'... (5000 characters)"),
    "an emoji": ("\N{SEEDLING}", r"'\U0001f331'"),
    "an accent": ("é", r"'\xe9'"),
    "two lines": ("1\n2", r"'1\n2'"),
    "no UTF-8": ("\udcff", r"'\udcff'"),
}
BAD_SEEDS = {
    "an exponent": ("1e3", "'1e3'"),
    "an Arabic digit": ("٣", r"'\u0663'"),
    "a superscript": ("²", r"'\xb2'"),
    "a plus": ("+7", "'+7'"),
    "an underscore": ("1_0", "'1_0'"),
    "a list": ("1,2", "'1,2'"),
    "a word and an array": ("random+array", "'random+array'"),
    "a large number and an array": ("4294967296+array", "'4294967296+array'"),
    "10000 digits": ("9" * 10000, f"'{'9' * 40}'... (10000 characters)"),
}
PROGRAM = "print('user code ran')"


def test_the_contract_has_these_variables(python: Path) -> None:
    names = output(python, "-c", "from seed_init.hook.startup import ACCEPTED; print(*ACCEPTED)")
    # SEED_INIT is read before the others, and not from the defaults file.
    assert sorted([*names.split(), "SEED_INIT"]) == sorted([*ACCEPTED, *ANY_TEXT])


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize(("text", "shown"), BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_any_other_value_is_refused_in_one_line(
    python: Path, name: str, text: str, shown: str
) -> None:
    done = run(python, "-c", PROGRAM, env={"SEED": "7", name: text})
    expected = f"seed_init: {name}={shown} is not accepted; use {ACCEPTED[name]}\n"
    assert (done.stderr, done.stdout, done.returncode) == (expected, "", 78)


@pytest.mark.parametrize(("text", "shown"), BAD_SEEDS.values(), ids=BAD_SEEDS.keys())
def test_a_seed_that_is_no_plain_number_is_refused(python: Path, text: str, shown: str) -> None:
    done = run(python, "-c", PROGRAM, env={"SEED": text})
    expected = f"seed_init: SEED={shown} is not accepted; use {SEED}\n"
    assert (done.stderr, done.stdout, done.returncode) == (expected, "", 78)


@pytest.mark.parametrize("name", [*ACCEPTED, *ANY_TEXT])
def test_empty_and_white_space_count_as_unset(python: Path, name: str) -> None:
    for text in ("", "  ", " \t\n"):
        given = {"DETERMINISM": "off", name: text}
        code = f"from seed_init.hook import startup; print({name!r} in startup.values)"
        done = run(python, "-c", code, env=given)
        assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)


NUMBERS = ("SEED", "SEED_INIT", "SEED_INIT_RESTART", "SEED_INIT_THREADS")


@pytest.mark.parametrize("name", [name for name in ACCEPTED if name not in NUMBERS])
def test_each_word_of_the_contract_is_accepted(python: Path, name: str) -> None:
    for word in ACCEPTED[name].replace(" or ", ", ").split(", "):
        code = f"from seed_init.hook import startup; print(startup.values[{name!r}])"
        done = run(python, "-c", code, env={"SEED": "7", name: f" {word}\n"})
        assert (done.stdout, done.stderr, done.returncode) == (f"{word}\n", "", 0)


@pytest.mark.parametrize("text", ["banana", "/no/such/place", LONG, "é\N{SEEDLING}"])
def test_any_text_is_accepted_for_a_workspace(python: Path, text: str) -> None:
    done = run(python, "-c", PROGRAM, env={"SEED": "7", "CUBLAS_WORKSPACE_CONFIG": text})
    assert (done.stdout, done.stderr, done.returncode) == ("user code ran\n", "", 0)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("text", ["banana", "new/place", "é\N{SEEDLING}"])
def test_any_name_is_accepted_for_a_path(
    python: Path, tmp_path: Path, name: str, text: str
) -> None:
    done = run(python, "-c", PROGRAM, env={"SEED": "7", name: text}, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("user code ran\n", 0)
    assert (tmp_path / text).exists()


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_cannot_be_written_is_refused(python: Path, tmp_path: Path, name: str) -> None:
    done = run(python, "-c", PROGRAM, env={"SEED": "7", name: LONG}, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr.startswith(f"seed_init: {name}=")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("-m", "timeit"), ("-I", "-c", PROGRAM), ("-E", "-c", PROGRAM)]
)
def test_every_way_to_start_python_is_refused(python: Path, arguments: tuple[str, ...]) -> None:
    """Under -I and -E as well: SEED is the hook's variable, not Python's."""
    done = run(python, *arguments, env={"SEED": "banana"})
    assert (done.stdout, done.returncode) == ("", 78)
    assert len(done.stderr.splitlines()) == 1


def test_a_refusal_is_ascii_in_an_ascii_locale(python: Path) -> None:
    env = {
        "SEED": "é\N{SEEDLING}",
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    done = run(python, "-c", PROGRAM, env=env)
    assert done.returncode == 78
    assert done.stderr.isascii() and done.stderr.startswith("seed_init: SEED='")
    assert len(done.stderr.splitlines()) == 1


def test_strict_refuses_a_cublas_workspace_that_is_not_deterministic(python: Path) -> None:
    env = {"SEED": "7", "DETERMINISM": "strict", "CUBLAS_WORKSPACE_CONFIG": ":1:1"}
    done = run(python, "-c", PROGRAM, env=env)
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr == (
        "seed_init: under DETERMINISM=strict CUBLAS_WORKSPACE_CONFIG=':1:1' is not accepted; "
        "use :4096:8 or :16:8\n"
    )


@pytest.mark.parametrize("level", ["off", "fast", "warn", "strict"])
def test_a_cublas_workspace_that_is_deterministic_is_kept(python: Path, level: str) -> None:
    code = "import os; print(os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    env = {"SEED": "7", "DETERMINISM": level, "CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    assert output(python, "-c", code, env=env) == ":16:8"


@pytest.mark.parametrize("level", ["off", "fast", "warn"])
def test_a_cublas_workspace_that_is_not_deterministic_is_kept_below_strict(
    python: Path, level: str
) -> None:
    code = "import os; print(os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    env = {"SEED": "7", "DETERMINISM": level, "CUBLAS_WORKSPACE_CONFIG": ":1:1"}
    assert output(python, "-c", code, env=env) == ":1:1"


class TestDefaultsFile:
    """`etc/seed_init/defaults` below sys.prefix; /etc/seed_init/defaults is read alike."""

    SHOW = """
from seed_init.hook import startup as s
print(s.values.get("SEED"), s.origins.get("SEED"))
"""

    def shown(self, python: Path, **env: str) -> str:
        return output(python, "-c", self.SHOW, env=env)

    def test_gives_the_seed_where_the_environment_gives_none(
        self, fresh: Callable[[str], Path]
    ) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, "SEED=42\n")
        assert self.shown(python) == f"42 {path}:1"
        assert self.shown(python, SEED="  ") == f"42 {path}:1"

    def test_yields_to_the_environment(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        write_defaults(python.parent.parent, "SEED=42\n")
        assert self.shown(python, SEED="7") == "7 environment"

    def test_has_comments_and_blank_lines_and_spaces(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        text = "# a comment\n\n   \n  # SEED=1\n SEED = 42 \nDETERMINISM=off\n"
        path = write_defaults(python.parent.parent, text)
        assert self.shown(python) == f"42 {path}:5"

    def test_may_be_empty(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        write_defaults(python.parent.parent, "")
        assert self.shown(python) == "None None"

    def test_may_be_missing(self, python: Path) -> None:
        if Path("/etc/seed_init/defaults").exists():
            pytest.skip("this machine has /etc/seed_init/defaults")
        assert self.shown(python) == "None None"

    def test_counts_its_last_line_without_an_end(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, "DETERMINISM=off\r\nSEED=42")
        assert self.shown(python) == f"42 {path}:2"

    @pytest.mark.parametrize(
        ("line", "shown"),
        [
            ("SEED", "'SEED'"),
            ("SED=42", "'SED=42'"),
            ("export SEED=42", "'export SEED=42'"),
            ("=42", "'=42'"),
            ("SEED_INIT=0", "'SEED_INIT=0'"),
            ("PATH=/bin", "'PATH=/bin'"),
            ("é\N{SEEDLING}", r"'\xe9\U0001f331'"),
        ],
    )
    def test_refuses_a_line_that_is_no_setting(
        self, fresh: Callable[[str], Path], line: str, shown: str
    ) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, f"# first\n{line}\n")
        done = run(python, "-c", PROGRAM, env={"SEED": "7"})
        assert (done.stdout, done.returncode) == ("", 78)
        assert done.stderr == (
            f"seed_init: {path}, line 2: {shown} is not accepted; "
            "use NAME=VALUE with a name from docs/reference/variables.md\n"
        )

    def test_counts_an_empty_value_as_unset(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        write_defaults(python.parent.parent, "SEED=\nDETERMINISM =  \n")
        assert self.shown(python) == "None None"

    @pytest.mark.parametrize("name", [name for name in ACCEPTED if name != "SEED_INIT"])
    def test_refuses_a_value_and_names_the_line(
        self, fresh: Callable[[str], Path], name: str
    ) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, f"\n\n{name}=banana\n")
        done = run(python, "-c", PROGRAM)
        assert (done.stdout, done.returncode) == ("", 78)
        assert done.stderr == (
            f"seed_init: {path}, line 3: {name}='banana' is not accepted; use {ACCEPTED[name]}\n"
        )

    def test_what_is_beyond_64_kib_is_not_ignored(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, "#" * 65530 + "\nSEED=12345\n")
        done = run(python, "-c", PROGRAM)
        assert (done.stdout, done.returncode) == ("", 78)
        assert done.stderr == (
            f"seed_init: cannot read {path}: longer than 65536 bytes; repair or remove it\n"
        )

    def test_in_its_place_a_directory_is_refused(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        path = python.parent.parent / "etc/seed_init/defaults"
        path.mkdir(parents=True)
        done = run(python, "-c", PROGRAM)
        assert (done.stdout, done.returncode) == ("", 78)
        expected = f"seed_init: cannot read {path}: Is a directory; repair or remove it\n"
        assert done.stderr == expected

    def test_is_refused_where_it_cannot_be_read(
        self, public: Path, nobody: tuple[str, ...]
    ) -> None:
        path = write_defaults(public.parent.parent, "SEED=42\n")
        path.chmod(0)
        library = {"LD_LIBRARY_PATH": str(public.parent.parent / "lib")}
        done = run(*nobody, public, "-c", PROGRAM, env=library)
        assert (done.stdout, done.returncode) == ("", 78)
        expected = f"seed_init: cannot read {path}: Permission denied; repair or remove it\n"
        assert done.stderr == expected

    @pytest.mark.parametrize(("word", "seeded"), [("random", "SEED=random"), ("off", "{path}:1")])
    def test_may_say_random_and_off(
        self, fresh: Callable[[str], Path], word: str, seeded: str
    ) -> None:
        python = fresh("hooked")
        path = write_defaults(python.parent.parent, f"SEED={word}\n")
        seed, origin = self.shown(python).split()
        assert origin == seeded.format(path=path)
        assert seed.isdecimal() == (word == "random")

    def test_does_not_matter_with_seed_init_0(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        write_defaults(python.parent.parent, "nonsense\n")
        done = run(python, "-c", PROGRAM, env={"SEED_INIT": "0"})
        assert (done.stdout, done.stderr, done.returncode) == ("user code ran\n", "", 0)

    def test_is_named_in_ascii(self, python: Path, tmp_path: Path) -> None:
        venv = tmp_path / "vénv"
        output(python, "-m", "venv", "--without-pip", venv)
        write_defaults(venv, "SEED=é\n")
        done = run(venv / "bin/python", "-c", PROGRAM)
        assert (done.stdout, done.returncode) == ("", 78)
        assert r"/v\xe9nv/etc/seed_init/defaults, line 1: SEED='\xe9' is not" in done.stderr

    def test_of_a_virtual_environment_is_its_own(self, python: Path, tmp_path: Path) -> None:
        output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
        path = write_defaults(tmp_path / "venv", "SEED=42\n")
        assert self.shown(tmp_path / "venv/bin/python") == f"42 {path}:1"
