"""Table, picture and file of a result. The sample was recorded by a real, tiny run."""

import copy
import statistics
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.cost import picture, record, table

SAMPLE = record.read(Path(__file__).parent / "sample.json")


@pytest.fixture
def sample() -> record.Result:
    return copy.deepcopy(SAMPLE)


def test_the_table_names_the_machine_and_what_it_ran(sample: record.Result) -> None:
    text = table.text(sample, "name")
    machine = sample["machine"]
    assert text.startswith(f"# What determinism costs: {machine['processor']}, {machine['cores']}")
    for part in (machine["kernel"], f"torch {machine['torch']}", sample["started"], "name.json"):
        assert part in text


def fail(sample: record.Result, model: str, arm: str, raised: str | None, problem: str) -> None:
    """Have an arm give nothing for a model, as `seed-init cost` says it."""
    row: Any = table.row(sample, model, arm)
    row |= dict.fromkeys(("step_seconds", "step_spread", "ratio", "ratio_spread", "identical"))
    row |= {"raised": raised, "problem": problem}


@pytest.mark.parametrize("arm", ["fast", "warn", "strict"])
def test_a_cell_is_computed_from_the_steps_of_every_run(sample: record.Result, arm: str) -> None:
    def medians(name: str) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for run in table.samples(sample, "gnn", name):
            found.setdefault(run["round"], []).append(statistics.median(run["step_seconds"]))
        return found

    own, base = medians(arm), medians("off")
    assert [len(base[number]) for number in (0, 1)] == [2, 2]
    one, two = sorted(own[number][0] / statistics.mean(base[number]) for number in (0, 1))
    shown = f"{(one + two) / 2:.3f} ({one:.3f}–{two:.3f})"
    (row,) = (
        line for line in table.levels(sample).splitlines() if "| gnn |" in line and " ms" in line
    )
    assert shown in row


def test_the_mean_is_geometric_over_the_models(sample: record.Result) -> None:
    lstm, gnn = table.costs(sample, "warn")
    assert f"**{(lstm * gnn) ** 0.5:.3f}**" in table.levels(sample)


def test_a_mean_says_when_a_model_is_missing(sample: record.Result) -> None:
    fail(sample, "gnn", "strict", "put_", "raises for put_, which has no deterministic version")
    text = table.text(sample, "name")
    assert "(1 of 2 models)" in text
    assert "| gnn | – | raises: put_ |" in text


def test_a_failed_base_leaves_no_ratio(sample: record.Result) -> None:
    fail(sample, "gnn", "off", None, "fails: out of memory")
    fail(sample, "gnn", "warn", None, None)  # type: ignore[arg-type]
    assert table.cell(sample, "gnn", "warn") == "`off` failed"
    assert "| gnn | – |" in table.text(sample, "name")


def test_a_model_that_could_not_be_measured_has_the_reason_in_every_cell(
    sample: record.Result,
) -> None:
    sample["models"]["gnn"] = {"failed": "the command fails under DETERMINISM=off: no memory"}
    assert table.cell(sample, "gnn", "warn").endswith("no memory")
    assert "no memory" in table.text(sample, "name")
    assert len(table.costs(sample, "warn")) == 1


def test_what_was_not_run_is_named_with_the_reason(sample: record.Result) -> None:
    section = table.not_run(sample)
    assert "- `CUDNN_DETERMINISTIC=1` over `off`: acts on CUDA only" in section


def test_identical_repeats_are_counted_over_the_models(sample: record.Result) -> None:
    assert table.identical(sample, "warn", ["lstm", "gnn"]) == "4 of 4"
    assert table.identical(sample, "off", ["lstm", "gnn"]) == "8 of 8"
    assert table.identical(sample, "none", ["lstm", "gnn"]) == "2 of 4"


def test_operators_that_grew_are_named_with_their_times(sample: record.Result) -> None:
    sample["models"]["gnn"]["slower_operators"] = [
        {"operator": "aten::mm", "off_seconds": 0.001, "warn_seconds": 0.0032}
    ]
    assert "| gnn | `aten::mm` 1.00 → 3.20 |" in table.grown(sample)


def test_operators_without_a_deterministic_version_are_named(sample: record.Result) -> None:
    sample["models"]["gnn"]["operators"]["warn"] = [{"what": "aten::put_"}]
    assert "| gnn | `aten::put_` | – |" in table.alerts(sample)


def words(drawn: str) -> list[str]:
    return [each.text for each in ElementTree.fromstring(drawn).iter() if each.text]


def test_the_picture_of_a_result_is_always_the_same_text(sample: record.Result) -> None:
    drawn = picture.draw(sample)
    assert drawn == picture.draw(sample)
    shown = words(drawn)
    for text in ("lstm, warn", "gnn, strict", "seed_init warn"):
        assert text in shown
    assert f"What determinism costs: {table.chip(sample)}" in shown
    assert any("torch 2.6.0, CPU; 2 models, 2 rounds; noise" in text for text in shown)
    mean = statistics.geometric_mean(table.costs(sample, "warn"))
    assert f"{mean:.3f}, identical" in shown


def test_the_picture_says_where_a_level_failed(sample: record.Result) -> None:
    fail(sample, "gnn", "strict", "put_", "raises for put_, which has no deterministic version")
    assert "raises: put_" in words(picture.draw(sample))


def test_a_rerun_keeps_the_models_that_it_did_not_measure(
    sample: record.Result, tmp_path: Path
) -> None:
    file = record.place(tmp_path, sample)
    record.write(file, sample)
    again = copy.deepcopy(sample)
    again["models"] = {"gnn": again["models"]["lstm"]}
    assert record.place(tmp_path, again) == file
    record.write(file, again)
    kept = record.read(file)["models"]
    assert kept == {"lstm": sample["models"]["lstm"], "gnn": sample["models"]["lstm"]}


@pytest.mark.parametrize(("part", "name"), [("machine", "memory_gib"), ("settings", "rounds")])
def test_another_machine_or_other_settings_get_a_file_of_their_own(
    sample: record.Result, tmp_path: Path, part: str, name: str
) -> None:
    first = record.place(tmp_path, sample)
    record.write(first, sample)
    other = copy.deepcopy(sample)
    other[part][name] += 1
    second = record.place(tmp_path, other)
    assert second.name == f"{first.stem}-2.json"
    record.write(second, other)
    assert record.read(first) == sample
    assert record.place(tmp_path, other) == second


def test_the_readme_lists_every_result_between_its_marks(sample: record.Result) -> None:
    page = f"# Title\n\n{table.BEGIN}\n\nold\n\n{table.END}\n\nMore.\n"
    other = copy.deepcopy(sample)
    other["machine"]["processor"] = "Another"
    written = table.with_index(page, {"one": sample, "two": other})
    assert written.startswith(f"# Title\n\n{table.BEGIN}\n\n| machine |")
    assert written.endswith(f"{table.END}\n\nMore.\n")
    assert "old" not in written
    assert "[Another, 2 cores](two.md)" in written
    assert table.with_index(written, {"one": sample, "two": other}) == written
    assert table.with_index("# No marks\n", {"one": sample}) == "# No marks\n"


def test_a_page_of_a_gpu_names_it_and_what_it_allocated(sample: record.Result) -> None:
    sample["machine"] |= {"device": "cuda", "gpu": "A GPU", "driver": "550"}
    text = table.text(sample, "name")
    assert text.startswith("# What determinism costs: A GPU, torch 2.6.0, CUDA 12.4")
    assert "A GPU, driver 550" in text
    assert "allocated on the GPU" in text


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "intel-xeon-processor-2-cores-torch-2.6.0-cpu"),
        ({"gpu": "NVIDIA H200", "cuda": "11.8"}, "nvidia-h200-torch-2.6.0-cuda-11.8"),
    ],
)
def test_files_are_named_after_what_computed(changed: dict[str, str], name: str) -> None:
    machine = {
        **{"processor": "Intel(R) Xeon(R) Processor", "cores": 2, "gpu": None},
        **{"torch": "2.6.0+cu118", "cuda": "11.8"},
    }
    assert record.stem(machine | changed) == name
