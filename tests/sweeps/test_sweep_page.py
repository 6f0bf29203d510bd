"""`seed-init report sweep.json`: one page about a sweep."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from seed_init import cli
from seed_init.proof.reporting import sweeps

from .made import EFFECT, REPEATS, large, made, normal


class Text(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Text:
    parser = Text()
    parser.feed(page)
    return parser


def test_the_page_has_the_sentence_the_picture_the_numbers_and_every_run() -> None:
    sweep = made(normal(8), normal(8, seed=2, center=0.92))
    found = read(sweeps.render(sweep))
    text = " ".join(found.text)
    assert sweep["sentence"] in text
    assert "svg" in found.elements and "script" not in found.elements
    for words in ("interquartile mean", "paired by SEED", "correlation", "could be shown"):
        assert words in text
    assert len(re.findall(r"(?:run|against) \d (?:again )?0 1\.5", text)) == 16


def test_what_the_checks_found_is_told_with_its_remedy() -> None:
    sweep = made(normal(4))
    effect = {**EFFECT, "verdict": "no", "text": "SEED has no effect", "why": "x.py:3 seeds"}
    effect["remedy"] = "set SEED_INIT_RESEED=mix"
    noise = {"accuracy": {"first": 0.9, "again": 0.91, "sd": 0.1, "share": 0.5, "least": 0.07}}
    repeats = {**REPEATS, "verdict": "differs", "noise": noise}
    repeats["remedies"] = [{"cause": "atomics", "remedy": "DETERMINISM=strict"}]
    sweep["checks"] |= {"seed_has_effect": {"run": effect, "against": None}, "repeats": repeats}
    text = " ".join(read(sweeps.render(sweep)).text)
    for words in (
        "SEED has no effect. x.py:3 seeds. set SEED_INIT_RESEED=mix",
        "at least 7 % of the variance is noise",
        "atomics: DETERMINISM=strict",
    ):
        assert words in text


def test_failed_runs_and_values_that_are_no_number_are_named() -> None:
    sweep = made({0: 0.5, 1: None, 2: None, 3: 0.7}, failed={2: 3})
    text = " ".join(read(sweeps.render(sweep)).text)
    assert "no finite number for SEED 1 and 2; left out" in text
    assert "run, SEED 2: ended with exit status 3" in text
    assert "NaN" in text


def test_a_thousand_seeds_are_one_page_whose_table_is_folded_away() -> None:
    page = sweeps.render(large(1000))
    assert len(page) < 1_000_000
    before, folded, after = page.partition("<details><summary>2,000 runs</summary>")
    assert folded and before.count("<tr") < 40 < 2000 < after.count("<tr")


def test_text_of_the_user_is_text_and_no_markup() -> None:
    bad = "<img src=x onerror=alert(1)>"
    sweep = made(normal(3), name=bad, command=["python", bad])
    page = sweeps.render({**sweep, "name": bad})
    assert "img" not in read(page).elements
    assert "default-src 'none'" in page


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(made(normal(6)), indent=1))
    return file


def test_the_command_writes_the_page(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(file)]) == 0
    assert capsys.readouterr().out == "report.html: 6 of 6 runs\n"
    assert "<svg" in Path("report.html").read_text()


def test_the_command_prints_what_the_page_shows(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(file.read_text())
    assert not Path("report.html").exists()


def test_a_sweep_and_a_record_share_no_page(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(file), str(file)]) == 2
    error = capsys.readouterr().err
    assert error == "seed-init report: a sweep has a page of its own; give its sweep.json alone\n"


@pytest.mark.parametrize(
    "entry, told",
    [
        ({"format": 2}, "format is 2, not 1"),
        ({"seeds": "0-9"}, 'seeds is "0-9", not an array'),
        ({"more": 1}, 'has a "more", which it must not have'),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], entry: dict[str, Any], told: str
) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | entry))
    assert cli.main(["report", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "sweep.json is no sweep" in error and told in error
    assert not Path("report.html").exists()


def test_a_file_that_was_cut_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text()[:900])
    assert cli.main(["report", str(file)]) == 2
    assert "sweep.json is no sweep" in capsys.readouterr().err


# --- in a browser --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("report")
def test_the_page_fits_a_phone_and_a_desk_and_asks_for_nothing(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium command")
    page_file = tmp_path / "page.html"
    page_file.write_text(sweeps.render(large(100)))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (390, 1280):
            page = browser.new_page(viewport={"width": width, "height": 800})
            requests: list[str] = []
            page.on("request", lambda request, to=requests: to.append(request.url))
            page.goto(page_file.as_uri())
            wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wider) == 0
            assert requests == [page_file.as_uri()]
            ink = "getComputedStyle(document.querySelector('.sweep .run')).fill"
            assert page.evaluate(ink) == "rgb(9, 105, 218)"
        browser.close()
