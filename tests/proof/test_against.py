"""`seed-init verify --against`: do two versions of a program train the same, bit for bit?"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, environment_of, run

from .repositories import commit, git, repository
from .support import with_variable

PROGRAM = """
import random
import model

print(model.scaled(random.random()), open("data/x").read())
"""

MODEL = """
def scaled(value):
    return value * 2
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a program, and with data that git does not keep."""
    files = {"program.py": PROGRAM, "model.py": MODEL, ".gitignore": "data\n__pycache__\n"}
    place = repository(tmp_path / "project", files)
    (place / "data").mkdir()
    (place / "data/x").write_text("x")
    return place


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for temporary files of this test's own, which must be empty at its end."""
    with tempfile.TemporaryDirectory(prefix="against-") as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def verify(python: Path, place: Path, *words: Path | str, **env: str) -> Completed:
    """Run `seed-init verify` with options and a command, with SEED=7."""
    variables = {"SEED": "7", "OMP_NUM_THREADS": "1", "HOME": str(place.parent), **env}
    command = ("-m", "seed_init", "verify", *words)
    return run(python, *command, env=variables, cwd=place, timeout=600)


def told(python: Path, place: Path, *words: Path | str, **env: str) -> dict[str, Any]:
    done = verify(python, place, "--json", *words, **env)
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    statuses = {"identical": 0, "different": 1, "failed": 2, "unproven": 4}
    assert done.returncode == statuses[result["verdict"]]
    assert done.stderr == ""
    return result


def state(root: Path) -> tuple[str, ...]:
    """What must be the same before and after."""
    entries = "worktrees" if (root / ".git/worktrees").exists() else ""
    return git(root, "status", "--porcelain"), git(root, "worktree", "list"), entries


# Another revision


@pytest.mark.slow
def test_a_change_that_changes_nothing_is_identical_and_leaves_nothing_behind(
    python: Path, root: Path, temporary: Path
) -> None:
    (root / "model.py").write_text(MODEL.replace("value * 2", "2 * value  # the same"))
    (root / "data/x").write_text("y")  # as the working tree has it now
    before = state(root)
    done = verify(python, root, "--against", "HEAD", "--", python, "program.py")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    short = git(root, "rev-parse", "HEAD")[:12]
    headline, *lines = done.stdout.splitlines()
    assert headline == (
        f"IDENTICAL: {python} program.py (SEED=7): the output of this tree and of HEAD ({short}) "
        "is the same, bit for bit"
    )
    assert "copied for HEAD: data" in lines
    assert "compared: generators random; 1 line of output, exit status" in lines
    assert state(root) == before
    assert list(temporary.iterdir()) == []
    assert (root / "data/x").read_text() == "y"


@pytest.mark.slow
def test_another_draw_is_a_difference_and_each_version_is_run_again(
    python: Path, root: Path
) -> None:
    (root / "model.py").write_text("import random\n" + MODEL + "    \nrandom.random()\n")
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert result["verdict"] == "different"
    assert (result["difference"]["level"], result["difference"]["generator"]) == (
        "generator",
        "random",
    )
    numbers = [run["name"].rpartition(", ")[2] for run in result["runs"]]
    assert numbers == ["run 1", "run 1", "run 2", "run 2"]
    assert len(result["also"]) == 1
    assert result["also"][0].startswith("standard output differs: this tree line 1: ")


@pytest.mark.slow
def test_what_does_not_repeat_itself_cannot_be_compared(python: Path, root: Path) -> None:
    (root / "model.py").write_text("import os, random\nrandom.seed(os.urandom(4))\n" + MODEL)
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert result["verdict"] == "unproven"
    assert result["reason"].startswith("this tree does not repeat itself, so that a difference ")


@pytest.mark.slow
def test_a_path_in_the_output_is_no_difference(python: Path, root: Path) -> None:
    commit(root, {"program.py": "import os\nprint(os.getcwd(), __file__)\n"})
    commit(root, {"more": ""})
    # As an interpreter in .venv is.
    (root / "data/python").symlink_to(python)
    for words in ((python, "program.py"), ("data/python", root / "program.py")):
        result = told(python, root, "--against", "HEAD~1", "--", *words)
        assert result["verdict"] == "identical", result
        assert result["also"] == []


@pytest.mark.slow
def test_a_revision_that_lacks_a_file_says_which_git_does_not_keep(
    python: Path, root: Path
) -> None:
    (root / "local_settings.py").write_text("scale = 2\n")
    (root / ".gitignore").write_text("data\nlocal_settings.py\n__pycache__\n")
    commit(root, {"model.py": "import local_settings\n" + MODEL})
    (root / "model.py").write_text("import local_settings  # needed\n" + MODEL)
    command = ("--", python, "program.py")
    result = told(python, root, "--against", "HEAD", *command)
    assert result["verdict"] == "failed"
    assert result["reason"] == (
        "the command failed in HEAD with exit status 1; its last line on stderr: "
        "ModuleNotFoundError: No module named 'local_settings'; git does not keep "
        "local_settings.py: if it is needed, give it with --link"
    )
    linked = ("--link", "local_settings.py")
    assert told(python, root, "--against", "HEAD", *linked, *command)["verdict"] == "identical"


@pytest.mark.slow
def test_code_that_is_imported_from_the_working_tree_proves_nothing(
    python: Path, root: Path
) -> None:
    """As where the package is installed by pip install -e."""
    (root / "model.py").write_text(MODEL.replace("2", "3"))
    # A path that stands in no word as it is.
    place = f"{str(root)[:3]!r} + {str(root)[3:]!r}"
    code = f"import sys; sys.path.insert(0, {place}); import model; print(model.scaled(1))"
    commit(root, {"other/x": ""})
    (root / "model.py").write_text(MODEL.replace("2", "4"))
    result = told(python, root / "other", "--against", "HEAD", "--", python, "-c", code)
    assert result["verdict"] == "unproven"
    assert "imported model.py from the working tree, where the package is " in result["reason"]
    # The variable is one that can be moved.
    code = "import model; print(model.scaled(1))"
    words = ("--against", "HEAD", "--", python, "-c", code)
    result = told(python, root / "other", *words, PYTHONPATH=str(root))
    assert result["also"] == [], result
    assert result["difference"]["text"].startswith("standard output differs: this tree line 1: 4")


@pytest.mark.slow
def test_output_decides_where_nothing_is_trained(python: Path, root: Path) -> None:
    """Equal positions of generators say nothing of what was made of the draws."""
    commit(root, {"program.py": "import random\nprint(random.random() * 2)\n"})
    (root / "program.py").write_text("import random\nprint(random.random() * 3)\n")
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert (result["verdict"], result["difference"]["level"]) == ("different", "output")
    assert result["also"] == []


@pytest.mark.slow
def test_generators_alone_prove_nothing(python: Path, root: Path) -> None:
    commit(root, {"program.py": "import random\n"})
    (root / "program.py").write_text("import random  # the same\n")
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert result["verdict"] == "unproven"


@pytest.mark.slow
def test_a_file_of_the_working_tree_that_both_versions_read_proves_nothing(
    python: Path, root: Path
) -> None:
    program = f"from pathlib import Path\nprint(Path('{root}', 'scale.txt').read_text())\n"
    commit(root, {"program.py": program, "scale.txt": "2"})
    (root / "scale.txt").write_text("3")
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert result["verdict"] == "unproven"
    assert "read scale.txt of the working tree, and not that of its own" in result["reason"]


@pytest.mark.slow
def test_what_the_revision_writes_over_is_a_copy(python: Path, root: Path) -> None:
    program = "file = open('data/x', 'r+'); print(len(file.read())); file.write('more')\n"
    commit(root, {"program.py": program})
    (root / "program.py").write_text("print(len(open('data/x').read()))\n")
    before = (root / "data/x").read_text()
    result = told(python, root, "--against", "HEAD", "--", python, "program.py")
    assert (result["verdict"], result["against"]["copied"]) == ("identical", ["data"])
    assert (root / "data/x").read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_no_worktree(
    python: Path, root: Path, temporary: Path, number: int
) -> None:
    commit(root, {"program.py": "import time; print(1, flush=True); time.sleep(600)"})
    (root / "program.py").write_text("print(1)")
    before = state(root)
    marker = f"AGAINST_{os.getpid()}_{number}"
    words = ("-m", "seed_init", "verify", "--against", "HEAD", "--", str(python), "program.py")
    process = subprocess.Popen(
        [python, *words],
        env=environment_of(python, {"SEED": "7", "HOME": str(root.parent), marker: "1"}),
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 120
        while not list(temporary.glob("*/other/run-1/stdout")) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(git(root, "worktree", "list").splitlines()) == 2
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
    if number == signal.SIGKILL:
        # Nobody is left to remove it: the next command does.
        for place in temporary.iterdir():
            os.utime(place, (0, 0))  # it would be too young
        assert state(root) != before
        assert verify(python, root, "--against", "HEAD", "--", "echo", "1").returncode == 0
    assert state(root) == before
    while with_variable(marker) and time.monotonic() < until:
        time.sleep(0.1)
    assert with_variable(marker) == []


# Another command


@pytest.mark.slow
def test_another_command_is_compared_by_its_output_where_nothing_trains(
    python: Path, tmp_path: Path
) -> None:
    """No repository is needed."""
    same = told(python, tmp_path, "--against-command", "echo 'one line'", "--", "echo", "one line")
    assert same["verdict"] == "identical"
    assert (same["against"]["command"], same["against"]["commit"]) == (["echo", "one line"], None)
    other = told(python, tmp_path, "--against-command", "echo two", "--", "echo", "one")
    assert other["verdict"] == "different"
    assert other["difference"]["text"] == (
        "standard output differs: this tree line 1: one; the other command line 1: two"
    )
    silent = told(python, tmp_path, "--against-command", "true", "--", "true")
    assert silent["verdict"] == "unproven"


# What is refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "no-such"), "no-such is no commit of this repository; git log shows"),
        (("--against", "HEAD"), "HEAD is what is checked out here, and nothing is changed since"),
        (("--against", "HEAD", "--portable"), "--against goes without --portable"),
        (("--against", "HEAD", "--records", "r"), "--against goes without --records"),
        (("--against", "HEAD", "--link", "none"), "--link none: there is no such file"),
        (("--against", "HEAD", "--link", "/bin/sh"), "--link /bin/sh: it is not below "),
        (("--link", "data"), "--link needs --against with a revision"),
        (("--against-command", ""), "'' is no command"),
        (("--against-command", "echo 'one"), "is no command: No closing quotation"),
        (("--against-command", "no-such-program"), "no-such-program: no such command in PATH"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_touches_nothing(
    python: Path, root: Path, words: tuple[str, ...], said: str
) -> None:
    before = state(root)
    done = verify(python, root, *words, "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert state(root) == before


@pytest.mark.slow
def test_outside_of_a_repository_there_is_no_other_revision(python: Path, tmp_path: Path) -> None:
    done = verify(python, tmp_path, "--against", "HEAD", "--", "true")
    assert done.returncode == 2
    assert "is in no working tree of git's; go into one, or git init" in done.stderr
    done = verify(python, tmp_path, "--against", "HEAD", "--", "true", PATH=str(tmp_path))
    assert "git is not there, which checks out another revision; install git" in done.stderr


# A training

TRAINING = """
import torch
from net import Net

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(4, 8)).square().mean()
    loss.backward()
    optimizer.step()
"""

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.second = nn.Linear(16, 2)

    def forward(self, x):
        x = self.first(x)
        x = x.relu()
        return self.second(x)
"""


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return repository(tmp_path / "trained", {"train.py": TRAINING, "net.py": NET})


@pytest.mark.torch
def test_an_operator_that_changes_no_bit_leaves_the_training_the_same(
    python: Path, trained: Path
) -> None:
    added = NET.replace("x = x.relu()", "x = x * 1.0\n        x = torch.relu(x)")
    (trained / "net.py").write_text("# moved\n" + added)
    result = told(python, trained, "--against", "HEAD", "--", python, "train.py")
    assert result["verdict"] == "identical"
    assert (result["compared"]["steps"], result["compared"]["final_weights"]) == (3, 4)


@pytest.mark.torch
def test_the_first_step_tensor_and_line_are_named_beyond_an_added_operator(
    python: Path, trained: Path
) -> None:
    changed = NET.replace("x = x.relu()", "x = x * 1.0\n        x = x.clamp(min=0.01)")
    (trained / "net.py").write_text(changed)
    result = told(python, trained, "--against", "HEAD", "--", python, "train.py")
    assert result["verdict"] == "different"
    difference = result["difference"]
    assert (difference["step"], difference["tensor"]) == (0, "first.weight")
    assert difference["module"] == "second"
    # What only one of them does, and not what a moved line number would give.
    here, there = result["alone"]["first"], result["alone"]["second"]
    assert here == [
        "aten::clamp at net.py:14 in module Net",
        "aten::mul at net.py:13 in module Net",
    ]
    assert there[-1] == "aten::relu at net.py:13 in module Net"
    assert difference["trail"][0].startswith("first observed at step 0: the loss is ")
