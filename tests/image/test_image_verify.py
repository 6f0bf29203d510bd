"""`docker compose run --rm verify`: the proof, in the image."""

import json

import pytest
from containers import Done, Project

pytestmark = pytest.mark.image

TRAINING = """
import sys, time, torch

model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(5):
    if step == 3 and "clock" in sys.argv:
        optimizer.param_groups[0]["lr"] = time.time() % 1
    loss = model(torch.randn(16, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
torch.save(model.state_dict(), "/tmp/weights.pt")
"""


def verify(project: Project, *words: str, status: int) -> Done:
    (project.folder / "my.py").write_text(TRAINING)
    return project.compose("run", "--rm", "--no-TTY", "verify", *words, status=status, timeout=300)


def test_a_training_that_repeats_is_proven_identical(project: Project) -> None:
    done = verify(project, "--file", "/tmp/weights.pt", "--", "python", "my.py", status=0)
    assert done.stdout.startswith("IDENTICAL: python my.py (SEED=42)")
    assert "compared: 5 steps; 4 tensors" in done.stdout
    assert "file /tmp/weights.pt" in done.stdout


def test_one_that_does_not_is_located_with_its_options_after_it(project: Project) -> None:
    done = verify(project, "--json", "--", "python", "my.py", "clock", status=1)
    difference = json.loads(done.stdout)["difference"]
    assert (difference["step"], difference["source"]["line"]) == (3, 12)


def test_the_image_can_record_compare_audit_and_report(project: Project) -> None:
    (project.folder / "my.py").write_text(TRAINING)
    script = """
    for name in one two; do
        seed-init record --audit -o /tmp/$name.json -- python my.py $name clock || exit
    done
    seed-init compare /tmp/one.json /tmp/one.json && ! seed-init compare /tmp/one.json /tmp/two.json
    seed-init audit --fail-on clock -- python my.py clock && exit 9
    seed-init report /tmp/one.json /tmp/two.json -o /tmp/page.html
    grep -c '</html>' /tmp/page.html
    """
    done = project.train("bash", "-c", script)
    assert "first observed at step 3" in done.stdout
    assert done.stdout.rstrip().endswith("1")


def test_the_image_can_measure_what_determinism_costs(project: Project) -> None:
    (project.folder / "my.py").write_text(TRAINING)
    script = """
    seed-init cost --steps 3 --warmup 1 --repeats 2 --only warn --plot /tmp/cost.svg --json -- \\
        python my.py > /tmp/cost.json && grep -q '</svg>' /tmp/cost.svg && cat /tmp/cost.json
    """
    result = json.loads(project.train("bash", "-c", script).stdout)
    assert [row["identical"] for row in result["rows"]] == [True, True]
    assert result["seed"] == "42"
