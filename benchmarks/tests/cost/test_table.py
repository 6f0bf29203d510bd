"""Table, plot and file of a result. The sample was recorded by a real, tiny run on one machine."""

import copy
from pathlib import Path

import pytest

from benchmarks.cost import plot, ratios, record, table

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


@pytest.mark.parametrize("arm", ["fast", "warn", "strict"])
def test_a_cell_is_computed_from_the_medians(sample: record.Result, arm: str) -> None:
    cells = sample["models"]["gnn"]
    both = list(zip(cells[arm]["step_ms"], cells["off"]["step_ms"]))
    assert len(both) == 2
    one, two = sorted(value / base for value, base in both)
    shown = f"{(one + two) / 2:.3f} ({one:.3f}–{two:.3f})"
    (row,) = (
        line for line in table.levels(sample).splitlines() if "| gnn |" in line and " ms" in line
    )
    assert shown in row


def test_the_mean_is_geometric_over_the_models(sample: record.Result) -> None:
    lstm, gnn = (table.cost(sample, model, "warn") for model in ("lstm", "gnn"))
    assert isinstance(lstm, ratios.Ratio)
    assert isinstance(gnn, ratios.Ratio)
    mean = (lstm.median * gnn.median) ** 0.5
    assert f"**{mean:.3f}**" in table.levels(sample)


def test_a_mean_says_when_a_model_is_missing(sample: record.Result) -> None:
    sample["models"]["gnn"]["strict"]["failed"] = "raises: put_"
    text = table.text(sample, "name")
    assert "(1 of 2 models)" in text
    assert "| gnn | – | raises: put_ |" in text


def test_a_failed_base_leaves_no_ratio(sample: record.Result) -> None:
    sample["models"]["gnn"]["off"]["failed"] = "fails: out of memory"
    assert table.cost(sample, "gnn", "warn") == "`off` failed"
    assert table.cost(sample, "gnn", "off") == "fails: out of memory"
    table.text(sample, "name")


def test_what_was_not_run_is_named_with_the_reason(sample: record.Result) -> None:
    section = table.not_run(sample)
    assert "- `CUDNN_DETERMINISTIC=1` over `off`: acts on CUDA only" in section


def test_identical_repeats_are_counted_over_the_models(sample: record.Result) -> None:
    assert table.identical(sample, "warn", ["lstm", "gnn"]) == "4 of 4"
    assert table.identical(sample, "none", ["lstm", "gnn"]) == "2 of 4"


def test_operators_that_grew_are_named_and_those_that_did_not_are_not() -> None:
    off = [{"name": "a", "ms": 1.0}, {"name": "b", "ms": 5.0}, {"name": "c", "ms": 0.5}]
    warn = [{"name": "a", "ms": 3.0}, {"name": "b", "ms": 5.1}, {"name": "new", "ms": 4.0}]
    assert table.growth(off, warn) == ["`new` less than 0.50 → 4.00", "`a` 1.00 → 3.00"]


def test_the_plot_of_a_result_is_always_the_same_bytes(
    sample: record.Result, tmp_path: Path
) -> None:
    for name in ("one.svg", "two.svg"):
        plot.draw(sample, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "two.svg").read_text()
    for text in ("lstm", "gnn", "geometric mean", sample["machine"]["processor"], "torch 2.6.0"):
        assert text in drawn


def test_the_plot_says_where_a_level_failed(sample: record.Result, tmp_path: Path) -> None:
    sample["models"]["gnn"]["strict"]["failed"] = "raises: put_"
    plot.draw(sample, tmp_path / "plot.svg")
    assert "strict raises: put_" in (tmp_path / "plot.svg").read_text()


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
    for cells in sample["models"].values():
        for cell in cells.values():
            for peak in cell["peak_bytes"]:
                peak |= {"allocated": peak["resident"], "reserved": peak.pop("resident")}
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
