"""Notebooks: where a cell's numbers start, and the magics; in real kernels."""

import ast
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.interpreters import link_copy
from harness.processes import output, run
from harness.waiting import until

from .kernels import Kernel, configure_ipython, kernel
from .support import program

pytestmark = pytest.mark.torch

SEVEN = {"SEED": "7"}
CELLS = {"SEED": "7", "SEED_INIT_NOTEBOOK": "cell"}
DRAW = (
    "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1).item())"
)
MORE = DRAW.replace("print(", "print([").replace("())", "()])")

Start = Callable[..., Kernel]


@pytest.fixture(scope="module")
def configured(prefixes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the hook and, system-wide as in the image, IPython's configuration."""
    prefix = tmp_path_factory.mktemp("notebook") / "prefix"
    executable = link_copy(prefixes / "hooked/bin/python3", prefix)
    configure_ipython(prefix)
    return executable


@pytest.fixture
def start(configured: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts kernels, and ends them after the test."""
    with ExitStack() as stack:
        started = 0

        def start_one(env: dict[str, str], *options: str, startup: str = "") -> Kernel:
            nonlocal started
            home = tmp_path / f"home-{started}"
            started += 1
            folder = home / "ipython/profile_default/startup"
            folder.mkdir(parents=True)
            (folder / "first.py").write_text(startup)
            return stack.enter_context(kernel(configured, home, env, *options))

        yield start_one


def recipe(bare: Path, seed: int, times: int = 1) -> list[str]:
    """What DRAW prints, `times` in a row, after the well-known recipe."""
    code = f"""
import random, numpy, torch
random.seed({seed}); numpy.random.seed({seed}); torch.manual_seed({seed})
for _ in range({times}):
    print(random.random(), numpy.random.rand(), torch.rand(1).item())
"""
    return output(bare, "-c", code).splitlines()


class TestTheKernel:
    """SEED_INIT_NOTEBOOK=kernel, the default."""

    def test_starts_where_a_script_does_and_again_after_a_restart(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        wanted = recipe(bare, 7, 3)
        assert [one.printed(DRAW) for _ in range(3)] == wanted
        one.restart()
        assert [one.printed(DRAW) for _ in range(3)] == wanted

    def test_is_seeded_once_however_the_cells_are_run(self, start: Start, bare: Path) -> None:
        """The classic failure: the cell that seeds runs second."""
        one = start(SEVEN)
        first, second = one.printed(DRAW), one.printed(f"# another cell\n{DRAW}")
        assert [first, second] == recipe(bare, 7, 2)

    def test_is_not_shifted_by_lines_of_the_configuration(self, start: Start, bare: Path) -> None:
        line = "import random, numpy; random.random(); numpy.random.rand()"
        one = start(SEVEN, f"--IPKernelApp.exec_lines={line}")
        assert one.printed(DRAW) == recipe(bare, 7)[0]

    def test_is_not_shifted_by_cells_of_a_front_end(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        one.printed(DRAW, store_history=False)
        one.run(DRAW, silent=True)
        assert one.printed(DRAW) == recipe(bare, 7)[0]
        one.run(DRAW, store_history=False)
        assert one.printed(DRAW) == recipe(bare, 7, 3)[2], "starts over in the middle"

    def test_goes_on_where_no_cell_goes_into_the_history(self, start: Start, bare: Path) -> None:
        """Clients that are no page run all cells so."""
        one = start(SEVEN)
        assert [one.printed(DRAW, store_history=False) for _ in range(2)] == recipe(bare, 7, 2)

    def test_numbers_workers_as_a_script_does(self, start: Start, python: Path) -> None:
        one = start(SEVEN)
        drawn = one.printed(program("loader_cell").read_text())
        assert drawn == output(python, program("loader_cell"), env=SEVEN)

    def test_says_the_seed_in_the_cell_that_imports_first(self, start: Start) -> None:
        one = start(SEVEN)
        told = [
            one.run(code).stderr for code in ("1", "import random", "import numpy.random", DRAW)
        ]
        assert told == ["", "", "seed_init: SEED=7 (environment), DETERMINISM=warn\n", ""]

    @pytest.mark.parametrize("seed", ["7", "random"])
    def test_says_the_seed_that_holds_where_a_reader_sees_it(self, start: Start, seed: str) -> None:
        one = start({"SEED": seed})
        if seed == "random":
            # ipykernel imports `random`, which is told, before there is a cell.
            told = one.run("import seed_init; print(seed_init.seed())")
            assert told.stderr == (
                f"seed_init: SEED={told.stdout.strip()} (SEED=random), DETERMINISM=warn\n"
            )
        else:
            one.run("%reseed 8")
            assert one.run("import torch").stderr == (
                "seed_init: SEED=8 (reseeded), DETERMINISM=warn\n"
            )

    def test_says_it_where_a_file_of_the_users_imports_first(self, start: Start) -> None:
        one = start(SEVEN, startup="import numpy.random; numpy.random.rand()")
        line = "seed_init: SEED=7 (environment), DETERMINISM=warn\n"
        assert [one.run("1").stderr, one.run(DRAW).stderr] == [line, ""]


class TestTheCellPolicy:
    """SEED_INIT_NOTEBOOK=cell."""

    def test_gives_a_cell_its_numbers_in_any_order_and_any_number_of_times(
        self, start: Start
    ) -> None:
        cells = {
            "everything": program("loader_cell").read_text(),
            "draw": DRAW,
            "draw more": MORE,
            "own": "import numpy\nprint(numpy.random.default_rng().random())",
        }
        one = start(CELLS)
        forwards = {name: one.printed(code) for name, code in cells.items()}
        twice = {name: one.printed(code) for name, code in cells.items()}
        one.restart()
        one.printed("import torch, random; torch.rand(3); random.random()  # an edited cell")
        backwards = {name: one.printed(code) for name, code in reversed(cells.items())}
        assert forwards == twice == backwards
        assert len(set(forwards.values())) == len(cells)

    def test_does_not_depend_on_what_an_import_makes(self, start: Start, tmp_path: Path) -> None:
        """Once; the second time the module is there. scipy.stats makes four generators."""
        (tmp_path / "making.py").write_text("import numpy\nmade = numpy.random.default_rng()\n")
        code = f"""import sys; sys.path[:0] = [{str(tmp_path)!r}]
import making, numpy
print(numpy.random.default_rng().random())"""
        one = start(CELLS)
        assert one.printed(code) == one.printed(code)

    def test_does_not_depend_on_what_a_module_makes_while_it_is_imported(
        self, start: Start, tmp_path: Path
    ) -> None:
        """Nor on what a function of another module makes for it then."""
        (tmp_path / "helping.py").write_text(
            "import numpy, random\n"
            "def make(): return numpy.random.default_rng().random(), random.Random().random()\n"
        )
        (tmp_path / "making.py").write_text(
            "import helping, numpy\nmade = numpy.random.default_rng(), helping.make()\n"
            "def make(): return numpy.random.default_rng().random(), helping.make()\n"
        )
        code = f"""import sys; sys.path[:0] = [{str(tmp_path)!r}]
import making
print(making.make())"""
        one = start(CELLS)
        assert one.printed(code) == one.printed(code)

    def test_gives_cells_of_other_texts_and_jobs_of_other_seeds_other_numbers(
        self, start: Start
    ) -> None:
        one, other = start(CELLS), start({**CELLS, "SEED": "8"})
        drawn = [
            ast.literal_eval(which.printed(f"{MORE}  # {number}"))
            for which in (one, other)
            for number in range(3)
        ]
        assert len({number for numbers in drawn for number in numbers}) == 18

    def test_does_not_look_at_white_space_that_nobody_sees(self, start: Start) -> None:
        one = start(CELLS)
        spaced = "\n" + DRAW.replace("\n", "  \n") + "\n\n"
        assert one.printed(DRAW) == one.printed(spaced)

    def test_gives_spawned_workers_the_same_numbers_again(
        self, start: Start, tmp_path: Path
    ) -> None:
        (tmp_path / "drawing.py").write_text(
            "import random\ndef draw(_):\n    return random.random()\n"
        )
        code = f"""import sys; sys.path[:0] = [{str(tmp_path)!r}]
import drawing, multiprocessing
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(drawing.draw, range(2)))"""
        one = start(CELLS)
        first = one.printed(code)
        assert one.printed(code) == first
        assert one.printed(code + "  # another text") != first

    def test_takes_cells_that_a_cell_runs_for_a_part_of_it(self, start: Start) -> None:
        one = start(CELLS)
        nested = f"for _ in range(2): get_ipython().run_cell({DRAW!r})"
        first, second = one.printed(nested).splitlines()
        assert first != second

    def test_mixes_a_value_alike_in_every_cell(self, start: Start) -> None:
        """As for a script, `manual_seed(42)` means the same wherever it stands."""
        one = start({**CELLS, "SEED_INIT_RESEED": "mix"})
        code = "import torch; torch.manual_seed(42); print(torch.rand(1).item())"
        assert one.printed(code) == one.printed(f"{code}  # elsewhere")

    def test_is_told_in_the_line_about_the_seed(self, start: Start) -> None:
        assert start(CELLS).run("import numpy.random").stderr == (
            "seed_init: SEED=7 (environment), DETERMINISM=warn, a stream for each cell\n"
        )

    def test_leaves_a_job_that_is_not_seeded_alone(self, start: Start) -> None:
        one = start({**CELLS, "SEED": "off"})
        assert one.printed(DRAW) != one.printed(DRAW)


def test_another_policy_is_refused(python: Path) -> None:
    done = run(python, "-c", "pass", env={**SEVEN, "SEED_INIT_NOTEBOOK": "page"})
    assert (done.returncode, done.stderr) == (
        78,
        "seed_init: SEED_INIT_NOTEBOOK='page' is not accepted; use kernel or cell\n",
    )


class TestSeed:
    def test_shows_a_table_on_a_page_and_lines_elsewhere(self, start: Start) -> None:
        one = start(SEVEN)
        one.printed("import numpy.random")
        (shown,) = one.run("%seed").shown
        assert shown["text/html"].startswith("<table")
        for text in (shown["text/html"], shown["text/plain"]):
            for word in ("SEED", "7", "environment", "warn", "kernel", "numpy.random"):
                assert word in text
        assert "not covered" not in shown["text/plain"]

    def test_says_what_has_changed_since(self, start: Start) -> None:
        one = start(SEVEN)
        one.printed(
            "import torch, numpy; torch.manual_seed(3); numpy.random.default_rng()\n"
            "torch.backends.cudnn.benchmark = True\n%reseed 9"
        )
        (shown,) = one.run("%seed").shown
        lines = shown["text/plain"].splitlines()
        assert re.fullmatch(r"SEED +9 \(reseeded\)", lines[0])
        assert any(re.match(r"CUDNN_BENCHMARK +1 \(changed: .* gave 0\)", one) for one in lines)
        assert any(re.match(r"torch.manual_seed +3 \(by In\[1\]:1\)", one) for one in lines)

    @pytest.mark.parametrize(
        ("env", "first"),
        [
            ({"SEED": "off"}, ("SEED", "off", "nothing is seeded")),
            ({"SEED": "7", "SEED_INIT": "0"}, ("SEED", "none", "nothing is seeded")),
            ({"SEED": None}, ("SEED", "none", "nothing is seeded")),
        ],
        ids=["SEED=off", "SEED_INIT=0", "no SEED"],
    )
    def test_says_that_nothing_is_seeded(
        self, start: Start, env: dict[str, Any], first: tuple[str, ...]
    ) -> None:
        if env["SEED"] is None and Path("/etc/seed_init/defaults").exists():
            pytest.skip("this machine has /etc/seed_init/defaults")
        one = start(env)
        assert one.run("%seed").error is None
        assert ast.literal_eval(one.printed("s = %seed\nprint(s.rows[0])")) == first

    def test_shows_the_stream_where_it_is_not_of_the_seed_itself(self, start: Start) -> None:
        env = {"RANK": "3", "WORLD_SIZE": "4", "SEED_INIT_RANKS": "distinct"}
        for more, wanted in (
            (env, "rank 3 of 4"),
            ({"SEED_INIT_RESTART": "2"}, "restart 2"),
            ({"SEED_INIT_NOTEBOOK": "cell"}, "this cell"),
        ):
            one = start({**SEVEN, **more})
            told = one.printed("import seed_init; s = %seed\nprint(s.rows[:2], seed_init.seed())")
            rows, seed = told.rsplit(" ", 1)
            assert ast.literal_eval(rows) == [
                ("SEED", "7", "environment"),
                ("stream", seed, wanted),
            ]
        one = start({**SEVEN, "SEED_INIT_RESTART": "2"})
        told = one.printed("%reseed 9\ns = %seed\nprint(s.rows[:1])")
        assert ast.literal_eval(told) == [("SEED", "9", "reseeded")]

    def test_stays_small(self, start: Start) -> None:
        one = start(SEVEN)
        for number in range(12):
            one.printed(f"import random; random.seed({number})")
        (shown,) = one.run("%seed").shown
        lines = [
            line
            for line in shown["text/plain"].splitlines()
            if "seeded by" in line or "by In" in line
        ]
        assert len(lines) == 6
        assert lines[0].split(None, 3) == ["seeded", "by", "itself", "7 more"]
        assert lines[-1].split() == ["random.seed", "11", "(by", "In[12]:1)"]

    def test_shows_text_of_others_as_text(self, start: Start) -> None:
        one = start(SEVEN)
        one.printed("import random\nexec(compile('random.seed(\"<b>\")', '<i>', 'exec'))")
        (shown,) = one.run("%seed").shown
        assert "<b>" not in shown["text/html"]
        assert "&lt;b&gt;" in shown["text/html"]


class TestReseed:
    @pytest.mark.parametrize("env", [SEVEN, CELLS], ids=["kernel", "cell"])
    def test_starts_over_everything_that_draws(self, start: Start, env: dict[str, str]) -> None:
        code = program("loader_cell").read_text()
        one = start(env)
        first, second = one.printed(f"{code}\n%reseed\n{code}").splitlines()
        assert first == second

    @pytest.mark.parametrize("env", [SEVEN, CELLS], ids=["kernel", "cell"])
    def test_with_a_number_is_as_another_seed(
        self, start: Start, bare: Path, env: dict[str, str]
    ) -> None:
        one = start(env)
        one.printed(DRAW)
        assert one.printed(f"%reseed 9\n{DRAW}") == recipe(bare, 9)[0]

    def test_holds_for_later_cells(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        one.printed("%reseed 9")
        assert [one.printed(DRAW), one.printed(DRAW)] == recipe(bare, 9, 2)
        one.printed("%reseed")
        assert one.printed(DRAW) == recipe(bare, 9)[0]

    def test_gives_cells_the_streams_of_the_other_seed(self, start: Start) -> None:
        one, nine = start(CELLS), start({**CELLS, "SEED": "9"})
        one.printed("%reseed 9")
        assert one.printed(DRAW) == nine.printed(DRAW)

    def test_takes_a_variable(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        assert one.printed(f"n = 9\n%reseed {{n}}\n{DRAW}") == recipe(bare, 9)[0]

    @pytest.mark.parametrize("given", ["banana", "-1", "4294967296", "1.5", "7 8", "9" * 5000])
    def test_refuses_what_is_no_seed_in_one_line(self, start: Start, given: str) -> None:
        one = start(SEVEN)
        before = one.printed(DRAW)
        ran = one.run(f"%reseed {given}")
        assert ran.error is not None and ran.error[0] == "UsageError"
        shown = given if len(given) <= 40 else "9" * 37 + "..."
        assert ran.stderr == (
            f"UsageError: %reseed {shown} is not accepted; "
            "use a whole number from 0 to 4294967295\n"
        )
        assert not ran.traceback
        assert one.printed(DRAW) != before

    def test_says_that_there_is_nothing_to_start_over(self, start: Start) -> None:
        one = start({"SEED": "off"})
        assert one.run("%reseed").stderr == (
            "UsageError: no seed is in effect (neither SEED nor a defaults file gives one); "
            "give a number, as in %reseed 7\n"
        )


class TestSeeded:
    def test_puts_the_streams_back(self, start: Start) -> None:
        """Those of the libraries, and the numbers of what is numbered."""
        everything = program("loader_cell").read_text()
        one, other = start(SEVEN), start(SEVEN)
        without = [one.printed(everything), one.printed(everything)]
        first = other.printed(everything)
        # Twice in one cell: it numbers more than the cell before did.
        own = other.printed(f"%%seeded\n{everything}\n{everything}").splitlines()
        assert [first, other.printed(everything)] == without
        assert len({*own, *without}) == 4

    @pytest.mark.parametrize("env", [SEVEN, CELLS, {"SEED": "off"}], ids=["kernel", "cell", "off"])
    def test_with_a_number_is_as_a_kernel_of_that_seed(
        self, start: Start, bare: Path, env: dict[str, str]
    ) -> None:
        one = start(env)
        one.printed(DRAW)
        assert [one.printed(f"%%seeded 9\n{DRAW}") for _ in range(2)] == recipe(bare, 9) * 2

    def test_without_a_number_depends_on_seed_and_text(self, start: Start) -> None:
        one, eight = start(SEVEN), start({"SEED": "8"})
        told = [one.printed(f"%%seeded\n{DRAW}") for _ in range(2)]
        other = one.printed(f"%%seeded\n{DRAW}  # another text")
        assert told[0] == told[1]
        assert len({told[0], other, eight.printed(f"%%seeded\n{DRAW}")}) == 3

    def test_gives_a_library_that_it_imports_the_seed_of_the_job_afterwards(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        one.printed(f"%%seeded 9\n{DRAW}")
        assert one.printed(DRAW) == recipe(bare, 7)[0]

    def test_leaves_a_job_without_seeds_as_it_was(self, start: Start) -> None:
        one = start({"SEED": "off"})
        code = "import random; state = random.getstate(); print(random.random())"
        one.printed(code)
        one.printed("before = random.getstate()")
        one.printed("%%seeded 5\nrandom.random()")
        assert one.printed("print(random.getstate() == before)") == "True"
        assert one.printed("import seed_init; print(seed_init.seed())") == "None"

    def test_is_a_cell_like_any_other(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        ran = one.run("%%seeded 9\nimport random\nrandom.random()")
        assert [shown["text/plain"] for shown in ran.shown] == [recipe(bare, 9)[0].split()[0]]
        waiting = f"%%seeded 9\nimport asyncio\nawait asyncio.sleep(0)\n{DRAW}"
        assert one.printed(waiting) == recipe(bare, 9)[0]

    @pytest.mark.parametrize(
        "order", ["%%seeded 9\n%%time\n{}", "%%time\n%%seeded 9\n{}", "%%capture c\n%%seeded 9\n{}"]
    )
    def test_goes_with_other_magics_on_either_side(
        self, start: Start, bare: Path, order: str
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        told = one.printed(order.format(DRAW))
        if "capture" in order:
            told = one.printed("print(c.stdout)")
        assert told.splitlines()[0] == recipe(bare, 9)[0]
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_takes_a_comment(self, start: Start, bare: Path) -> None:
        assert start(SEVEN).printed(f"%%seeded 9  # a note\n{DRAW}") == recipe(bare, 9)[0]

    @pytest.mark.parametrize("env", [{"SEED_INIT": "0"}, {"SEED": "off"}], ids=["none", "off"])
    def test_seeds_what_it_imports_where_nothing_is_seeded(
        self, start: Start, bare: Path, env: dict[str, str]
    ) -> None:
        assert start(env).printed(f"%%seeded 9\n{DRAW}") == recipe(bare, 9)[0]

    def test_puts_numpys_own_bit_generator_back(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        one.printed("%%seeded 9\nnumpy.random.set_bit_generator(numpy.random.PCG64(1))")
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_puts_seeds_back_that_wait_for_cuda(self, start: Start) -> None:
        one = start(SEVEN)
        one.printed("import torch; torch.cuda.manual_seed(5)")
        waiting = "[id(call[0]) for call in torch.cuda._lazy_seed_tracker.get_calls()]"
        before = one.printed(f"print({waiting})")
        assert before != one.printed(f"%%seeded 9\nprint({waiting})")
        assert one.printed(f"print({waiting})") == before

    def test_a_state_that_cannot_be_put_back_starts_over_and_says_so(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        one.printed(DRAW)
        ran = one.run("%%seeded 9\nimport seed_init.libraries.stdlib as s\ns._setstate = None")
        assert ran.stderr.startswith("seed_init: random starts over, its state cannot be put back:")
        assert one.printed(DRAW).split()[0] == recipe(bare, 7)[0].split()[0]

    @pytest.mark.parametrize("magic", ["reload_ext", "unload_ext"])
    def test_puts_the_streams_back_where_it_takes_the_extension_out(
        self, start: Start, bare: Path, magic: str
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        one.printed(f"%%seeded 9\n%{magic} seed_init.notebook")
        again = one.printed(DRAW)
        # A new extension starts with a first cell.
        assert [first, again] == ([first, first] if magic == "reload_ext" else recipe(bare, 7, 2))

    def test_an_error_in_it_is_the_cells_and_the_streams_are_put_back(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        ran = one.run(f"%%seeded 9\n{DRAW}\n1 / 0")
        assert ran.error == ("ZeroDivisionError", "division by zero")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", ran.traceback)
        assert "----> 4 1 / 0" in plain, "the numbers of its lines are others"
        assert "seed_init" not in plain
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    @pytest.mark.parametrize(
        "wait", ["import time\ntime.sleep(30)", "import asyncio\nawait asyncio.sleep(30)"]
    )
    def test_an_interrupted_one_puts_the_streams_back(
        self, start: Start, bare: Path, wait: str
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)

        def interrupt() -> None:
            time.sleep(1)
            one.manager.interrupt_kernel()

        threading.Thread(target=interrupt).start()
        ran = one.run(f"%%seeded 9\n{DRAW}\n{wait}")
        assert ran.error is not None and ran.error[0] in ("KeyboardInterrupt", "CancelledError")
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_an_interrupt_while_it_begins_leaves_nothing_behind(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        ran = one.run("""import time
from seed_init.hook import rounds, state
start_over = rounds.start_over
def interrupted(*arguments):
    rounds.start_over = start_over
    start_over(*arguments)
    raise KeyboardInterrupt
rounds.start_over = interrupted
%seeded 9
time.sleep(30)""")
        assert ran.error is not None and ran.error[0] == "KeyboardInterrupt"
        assert one.printed("print(state.rounds[1:])") == "[]"
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_a_cancelled_one_ends_as_well(self, start: Start, bare: Path) -> None:
        """IPython tells of some that there is no result (ipykernel/ipkernel.py, do_execute)."""
        one = start(SEVEN)
        told = "get_ipython().events.trigger('post_run_cell', None)"
        assert one.printed(f"%%seeded 9\n{DRAW}\n{told}\n{DRAW}").splitlines() == [
            recipe(bare, 9)[0],
            recipe(bare, 7)[0],
        ]
        assert one.printed(DRAW) == recipe(bare, 7, 2)[1]

    def test_as_a_line_holds_to_the_end_of_the_cell(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        told = one.printed(f"{DRAW}\n%seeded 9\n{DRAW}").splitlines()
        assert told == [recipe(bare, 7)[0], recipe(bare, 9)[0]]
        assert one.printed(DRAW) == recipe(bare, 7, 2)[1]

    def test_as_a_line_starts_over_each_time(self, start: Start, bare: Path) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        # In a loop, a copy of all states each time would fill the memory.
        kept = "import seed_init.notebook\nprint(len(seed_init.notebook._cells.aside))"
        told = one.printed(f"%seeded 9\n{DRAW}\n%seeded 8\n{DRAW}\n{kept}").splitlines()
        assert told == [recipe(bare, 9)[0], recipe(bare, 8)[0], "1"]
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_a_notebook_that_was_turned_into_a_script_has_it_too(
        self, start: Start, bare: Path
    ) -> None:
        one = start(SEVEN)
        first = one.printed(DRAW)
        told = one.printed(f"get_ipython().run_cell_magic('seeded', '9', {DRAW!r})")
        assert told == recipe(bare, 9)[0]
        assert [first, one.printed(DRAW)] == recipe(bare, 7, 2)

    def test_refuses_what_is_no_seed_and_does_not_run(self, start: Start) -> None:
        one = start(SEVEN)
        ran = one.run("%%seeded banana\nprint('ran')")
        assert (ran.stdout, ran.stderr) == (
            "",
            "UsageError: %%seeded banana is not accepted; "
            "use a whole number from 0 to 4294967295\n",
        )

    def test_needs_a_number_where_nothing_is_seeded(self, start: Start) -> None:
        ran = start({"SEED": "off"}).run("%%seeded\nprint('ran')")
        assert not ran.stdout
        assert ran.stderr.endswith("give a number, as in %%seeded 7\n")


class TestHelp:
    def test_tab_completes_the_magics(self, start: Start) -> None:
        one = start(SEVEN)
        for typed, wanted in (("%re", "%reseed"), ("%see", "%seed"), ("%%see", "%%seeded")):
            reply = one.client.complete(typed, len(typed), reply=True, timeout=60)
            assert wanted in reply["content"]["matches"]

    @pytest.mark.parametrize(
        ("asked", "answered"),
        [
            ("%seed?", "Show which seed is in effect"),
            ("%reseed?", "Start the streams of random, NumPy and torch over."),
            ("%%seeded?", "Run a cell from a stream of its own"),
        ],
    )
    def test_a_question_mark_shows_help(self, start: Start, asked: str, answered: str) -> None:
        one = start(SEVEN)
        reply = one.client.execute(asked, reply=True, timeout=60)
        (page,) = reply["content"]["payload"]
        assert answered in page["data"]["text/plain"]


def test_a_terminal_has_the_magics_too(configured: Path, tmp_path: Path) -> None:
    done = run(
        configured,
        *("-m", "IPython", "--no-banner", "--colors=NoColor", "--simple-prompt"),
        stdin="%seed\n%reseed 3\n%seed\n",
        env={**SEVEN, "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
    )
    assert re.findall(r"SEED +(\d) ", done.stdout) == ["7", "3"], done.stdout + done.stderr


def test_the_extension_can_be_taken_out_again(start: Start) -> None:
    one = start(SEVEN)
    ran = one.run("%unload_ext seed_init.notebook")
    assert (ran.error, ran.stderr) == (None, "")
    assert "not found" in one.run("%reseed").stderr
    ran = one.run("%%seeded\n1")
    assert "not found" in ran.stderr
    assert one.run("%load_ext seed_init.notebook").error is None
    assert one.run("%seed").shown


def test_a_kernel_that_runs_for_weeks_forgets_what_cells_have_numbered(start: Start) -> None:
    one = start(CELLS)
    code = """import numpy, seed_init, threading
seed_init.generator(); numpy.random.default_rng()
thread = threading.Thread(target=numpy.random.default_rng); thread.start(); thread.join()
# cell """
    for number in range(3):
        one.printed(f"{code}{number}")
    told = one.printed(
        "seed_init.generator(); numpy.random.default_rng()\n"
        "from seed_init import api; from seed_init.hook import numbering\n"
        "print(len(api._generators), len(numbering._count_by_label), len(numbering._threads), "
        "len(numbering._counts.by_origin))"
    )
    assert told == "1 1 0 1"


def test_a_failure_to_seed_ends_the_kernel(start: Start, tmp_path: Path) -> None:
    """IPython would print it and run the cell, unseeded."""
    one = start(CELLS)
    one.printed("import seed_init.libraries.stdlib as library\nlibrary._seed = None")
    one.client.execute("print('user code ran')")
    until("the end of the kernel", lambda: not one.manager.is_alive())
    assert one.manager.provisioner.process.returncode == 78
    assert "seed_init: seeding failed with TypeError" in (tmp_path / "home-0/log").read_text()


def test_a_front_end_that_asks_for_the_kernels_banner_draws_nothing(start: Start) -> None:
    """IPython chooses a tip for it with `random`, at any time: pages ask when they reconnect."""
    kernel = start(SEVEN)
    where = "import random\nprint(hash(random.getstate()[1]))"
    # Off in the image; a kernel of another installation has them.
    kernel.run("get_ipython().enable_tip = True")
    before = kernel.printed(where)
    asked = kernel.client.kernel_info(reply=True, timeout=60)
    assert "banner" in asked["content"]
    assert kernel.printed(where) == before
