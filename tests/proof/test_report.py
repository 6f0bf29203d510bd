"""Reports about records of real runs, and how they look in a real browser.

Needs Debian's Chromium (tools/browser.sh installs it) for what a page looks like. Each look leaves
a screenshot in `.cache/artefacts/report`, or in `report` in the folder that SEED_INIT_ARTEFACTS
names.
"""

import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, run
from harness.repository import REPOSITORY
from seed_init.proof.auditing.collecting import Finding
from seed_init.proof.comparing.difference import Difference, Source
from seed_init.proof.reporting import charts, page
from seed_init.proof.reporting.charts import Bin, bins, step_axis, thinned, value_axis
from seed_init.proof.reporting.model import (
    DIFFERENT,
    Chart,
    Curve,
    Report,
    Run,
    Strip,
    StripStep,
    Verdict,
)
from seed_init.proof.trace.records import ADVICE
from seed_init.proof.verifying.verdict import Verification, VerifiedRun

from .answers import by_compare, by_report

# One worker makes the records and starts the browser, once each.
pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("report")]

NUDGED = Path(__file__).parent / "programs/nudged.py"
STEPS, STEP = 40, 17
LONG, LATE = 3000, 2000

TAGS = "<script>document.title = 'owned'</script>"
IMAGE = "<img src=x onerror=\"document.title='owned'\">"
VIEWS = {
    "phone": {"width": 390, "height": 844},
    "desk": {"width": 1280, "height": 800},
    "print": {"width": 718, "height": 1000},  # A4 without its margins
}
PAGES = ("identical", "ranks", "long", "not-finite", "plain", "verified", "six")

VERDICT = Verification(
    "different",
    ("python", "train.py"),
    "7",
    runs=[
        VerifiedRun("run 1", "base", status=0, seconds=2),
        VerifiedRun("run 2", "hash seed", ("hash seed", "CPU load"), status=0, seconds=3.14),
        VerifiedRun("run 3", "without hooks", observed=False, status=0, seconds=2),
    ],
    compared={"steps": STEPS, "tensors": 4, "files": ["weights.pt"], "generators": ["torch"]},
    not_compared=["standard error: it was not asked for"],
    broke_equality="hash seed",
    difference=Difference(
        "operator",
        "aten::index_put_ in encoder.layers.0",
        STEP,
        0,
        tensor="0.weight",
        module="encoder.layers.0",
        operator="aten::index_put_",
        source=Source("/workspace/train.py", 48, "forward", "    weights[index] += update"),
        values=["fingerprint 1a2b", None],
        runs=["run 1", "run 2"],
        trail=[f"steps 0 to {STEP - 1} are equal", f"gradient of {TAGS} differs"],
        remedies=[{"cause": "index_put_ adds in any order", "remedy": "DETERMINISM=strict"}],
    ),
)
AUDIT = [
    Finding(
        *("unseeded", "numpy.random.default_rng()", "", "/workspace/train.py", 12, "main"),
        "rng = default_rng()",
    ),
    Finding(
        *("listing", "os.listdir", "its order was used", f"/data/{IMAGE}.py", 7, "f"),
        TAGS,
        10240,
    ),
]


# --- records of real runs -----------------------------------------------------------------


@pytest.fixture(scope="module")
def records(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records: names are what their runs are."""
    folder = tmp_path_factory.mktemp("records")

    def record(name: str, *command: Path | str, status: int = 0, **variables: str) -> None:
        done = run(
            *(python, "-m", "seed_init", "record", "-o", folder / f"{name}.json", "--", *command),
            env={"SEED": "7", **variables},
            cwd=folder,
            timeout=300,
        )
        assert done.returncode == status, done.stderr

    def train(*words: float) -> tuple[Path | str, ...]:
        return (python, NUDGED, *map(str, words))

    def ranks(nudged: int) -> tuple[str, ...]:
        starts = [
            f"RANK={rank} WORLD_SIZE=2 {python} {NUDGED} {STEPS} {nudged if rank else -1} 0.05"
            for rank in (0, 1)
        ]
        return "sh", "-c", f"{' & '.join(starts)}; wait"

    with ThreadPoolExecutor(2) as pool:
        waiting = [
            pool.submit(record, "one", *train(STEPS, -1, 0.05)),
            pool.submit(record, "again", *train(STEPS, -1, 0.05)),
            pool.submit(record, "shorter", *train(STEPS - 5, -1, 0.05)),
            pool.submit(record, "ranks", *ranks(-1)),
            pool.submit(record, "ranks-nudged", *ranks(STEP), TORCH_ALLOW_TF32="1"),
            pool.submit(record, "long", *train(LONG, -1, 0.01)),
            pool.submit(record, "long-nudged", *train(LONG, LATE, 0.01)),
            pool.submit(record, "not-finite", *train(STEPS, -1, 3)),
            pool.submit(record, f"plain {TAGS.replace('/', '')}", python, "-c", "print(1)", TAGS),
            pool.submit(record, "failed", python, "-c", "import sys; sys.exit(3)", status=3),
        ]
        for each in waiting:
            each.result()
    content = json.loads((folder / "one.json").read_text())
    content["command"]["argv"] += [TAGS, IMAGE, "\u202etxt.exe\x1b[31m"]
    audit = {"findings": [finding.to_json() for finding in AUDIT]}
    content |= {"verdict": VERDICT.to_json(), "audit": audit}
    (folder / "verified.json").write_text(json.dumps(content))
    return folder


PLAIN = f"plain {TAGS.replace('/', '')}"
OF_PAGES = {
    "identical": ("one", "again"),
    "ranks": ("ranks", "ranks-nudged"),
    "long": ("long", "long-nudged"),
    "not-finite": ("one", "not-finite"),
    "plain": (PLAIN,),
    "verified": ("verified",),
    "six": ("one", "again", "long", "not-finite", "ranks", PLAIN),
}


@pytest.fixture(scope="module")
def report(python: Path, records: Path) -> Callable[..., Completed]:
    """Run `seed-init report` in the folder of the records."""

    def report(*words: Path | str) -> Completed:
        return run(python, "-m", "seed_init", "report", *words, cwd=records)

    return report


def names_of(*records: str) -> list[str]:
    return [f"{each}.json" for each in records]


@pytest.fixture(scope="module")
def shown(report: Callable[..., Completed]) -> Callable[..., dict[str, Any]]:
    """What the page about some records shows, as JSON."""

    def shown(*records: str) -> dict[str, Any]:
        done = report(*names_of(*records), "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout, parse_constant=not_json)

    return shown


def not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture(scope="module")
def pages(records: Path, report: Callable[..., Completed]) -> Path:
    """A folder with a page of each of PAGES."""
    folder = records / "pages"
    folder.mkdir()
    for name, of in OF_PAGES.items():
        done = report(*names_of(*of), "-o", folder / f"{name}.html")
        assert done.returncode == 0, done.stderr
    return folder


# --- what is found ------------------------------------------------------------------------


def test_two_equal_runs_are_identical(shown: Callable[..., Any]) -> None:
    found = shown("one", "again")
    assert found["verdict"]["word"] == "identical"
    assert dict(found["verdict"]["compared"])["steps"] == str(STEPS)
    assert found["differences"] == []
    assert [step["state"] for step in found["strips"][0]["steps"]] == ["same"] * STEPS


def test_a_larger_gradient_is_found_at_its_step_rank_and_tensor(shown: Callable[..., Any]) -> None:
    found = shown("ranks", "ranks-nudged")
    assert found["verdict"]["word"] == "different"
    zero, one = found["strips"]
    assert (zero["label"], zero["first"]) == ("rank 0", None)
    assert (one["label"], one["first"]) == ("rank 1", STEP)
    assert [step["state"] for step in one["steps"][:STEP]] == ["same"] * STEP
    assert one["steps"][STEP]["what"].startswith("gradient of 2.bias")
    told = found["differences"][0]["first_observed"]
    assert told == f"first observed at step {STEP}, rank 1: the gradient 2.bias differs"


def test_rows_of_the_environment_that_differ_are_told(shown: Callable[..., Any]) -> None:
    rows = shown("ranks", "ranks-nudged")["environment"]
    differing = {(row["section"], row["name"]) for row in rows if len(set(row["values"])) > 1}
    assert differing == {
        ("settings", "TORCH_ALLOW_TF32"),
        ("flags", "TORCH_ALLOW_TF32"),
        ("flags", "float32_matmul_precision"),
        ("environment", "TORCH_ALLOW_TF32"),
    }


def test_steps_that_one_run_does_not_have_are_no_equal_steps(shown: Callable[..., Any]) -> None:
    found = shown("one", "shorter")
    states = [step["state"] for step in found["strips"][0]["steps"]]
    assert states == ["same"] * (STEPS - 5) + ["absent"] * 5
    assert found["verdict"]["word"] == "different"
    assert found["differences"][0]["trail"] == [
        "Up to there all steps are equal; only A (one.json) has this step."
    ]


@pytest.mark.parametrize("pair", [pair for pair in OF_PAGES.values() if len(pair) == 2])
def test_the_page_names_what_compare_names(records: Path, pair: tuple[str, str]) -> None:
    one, other = (records / f"{name}.json" for name in pair)
    assert by_report(one, other) == by_compare(one, other)


def test_losses_that_are_no_numbers_are_named_in_json(shown: Callable[..., Any]) -> None:
    curve = shown("one", "not-finite")["charts"][0]["curves"][1]
    values = [value for _, value in curve["points"]]
    assert "inf" in values
    assert "nan" in values
    assert len(values) == STEPS


def test_a_single_record_shows_its_own_verdict(shown: Callable[..., Any]) -> None:
    found = shown("verified")
    assert found["verdict"]["word"] == "different"
    assert found["verdict"]["arms"][1] == ["run 2", "hash seed, CPU load", "status 0, 3.1 s"]
    states = [step["state"] for step in found["strips"][0]["steps"]]
    # What came after the first difference nobody compared.
    assert states == ["same"] * STEP + ["differs"] + ["unknown"] * (STEPS - STEP - 1)
    assert [each["count"] for each in found["findings"]] == [1, 10240]


def test_a_record_of_one_run_claims_nothing(shown: Callable[..., Any]) -> None:
    assert shown("one")["verdict"]["word"] == "not compared"
    assert {step["state"] for step in shown("one")["strips"][0]["steps"]} == {"unknown"}


def test_a_run_that_failed_is_no_equal_run(shown: Callable[..., Any]) -> None:
    found = shown("failed")
    assert found["verdict"]["word"] == "failed"
    assert "status 3" in found["verdict"]["sentence"]
    assert shown("failed", "failed")["verdict"]["word"] == "failed"


def test_a_verification_that_failed_says_why(shown: Callable[..., Any], records: Path) -> None:
    content = json.loads((records / "failed.json").read_text())
    made = Verification("failed", reason="run 1 ended with status 3").to_json()
    (records / "reason.json").write_text(json.dumps({**content, "verdict": made}))
    verdict = shown("reason")["verdict"]
    assert (verdict["word"], verdict["sentence"]) == ("failed", "run 1 ended with status 3.")


# --- the command --------------------------------------------------------------------------


def test_the_page_goes_to_report_html_and_one_line_says_so(
    records: Path, report: Callable[..., Completed]
) -> None:
    done = report("one.json", "again.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "report.html: identical\n", "")
    assert (records / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert not list(records.glob(".*"))


def test_no_file_is_replaced_unless_that_is_asked_for(
    records: Path, report: Callable[..., Completed]
) -> None:
    kept = records / "kept.html"
    kept.write_text("mine")
    done = report("one.json", "-o", "kept.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "seed-init report: kept.html is there already; give another name with -o, or "
        "--force to overwrite it\n"
    )
    assert kept.read_text() == "mine"
    assert report("one.json", "-o", "kept.html", "--force").returncode == 0
    assert kept.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("target", ["one.json", "linked.json", "pages-of-mine", "/dev/null"])
def test_even_force_replaces_no_record_no_directory_and_no_device(
    records: Path, report: Callable[..., Completed], target: str
) -> None:
    before = (records / "one.json").read_bytes()
    (records / "pages-of-mine").mkdir(exist_ok=True)
    link = records / "linked.json"
    if not link.exists():
        link.hardlink_to(records / "one.json")
    done = report("one.json", "-o", target, "--force")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert (records / "one.json").read_bytes() == before
    assert Path("/dev/null").is_char_device()


def test_what_is_no_record_is_refused_in_one_line_each(
    records: Path, report: Callable[..., Completed]
) -> None:
    (records / "no.json").write_text("{")
    (records / "other.json").write_text("[1]")
    (records / "binary.json").write_bytes(b"\xff\xfe\x00")
    damaged = json.loads((records / "one.json").read_text())
    damaged["trace"]["processes"][0]["order"] = "AAAA"
    (records / "damaged.json").write_text(json.dumps(damaged))
    del damaged["trace"]
    (records / "without.json").write_text(json.dumps(damaged))
    (records / "empty").mkdir()
    for name in ("no", "other", "binary", "damaged", "without"):
        done = report("one.json", f"{name}.json", "-o", "none.html")
        assert (done.returncode, done.stdout) == (2, ""), name
        assert re.fullmatch(rf"seed-init report: .*{name}\.json.*\n", done.stderr)
    assert report("empty", "-o", "none.html").returncode == 2
    done = report("gone.json", "one.json", "lost.json", "-o", "none.html")
    assert done.returncode == 2
    assert done.stderr == (
        f"seed-init report: cannot read gone.json: No such file or directory; {ADVICE}\n"
        f"seed-init report: cannot read lost.json: No such file or directory; {ADVICE}\n"
    )
    assert not (records / "none.html").exists()


def test_a_page_that_cannot_be_written_is_one_line(report: Callable[..., Completed]) -> None:
    done = report("one.json", "-o", "no/such/folder/page.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "seed-init report: no/such/folder/page.html cannot be written: there is no directory "
        "no/such/folder; make it first\n"
    )


# --- the page as text ---------------------------------------------------------------------


class Elements(HTMLParser):
    """The names of elements and attributes of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_nothing_that_runs_or_fetches(pages: Path, name: str) -> None:
    found = Elements((pages / f"{name}.html").read_text())
    assert not found.names & {"script", "img", "link", "iframe", "object", "embed", "base", "use"}
    assert not {each for each in found.attributes if each.startswith("on")}
    assert not found.attributes & {"src", "href", "srcset", "xlink:href"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small(pages: Path, name: str) -> None:
    assert (pages / f"{name}.html").stat().st_size < 300_000


def test_a_page_about_a_thousand_ranks_stays_below_a_megabyte() -> None:
    draw = random.Random(1)
    states = ("same", "differs", "absent", "unknown")
    steps = tuple(StripStep(number, draw.choice(states)) for number in range(2000))
    points = tuple((number, draw.random()) for number in range(2000))
    curves = (Curve(0, points), Curve(1, points[::-1][::-1]))
    names = [f"rank {rank}" for rank in range(1000)]
    report = Report(
        Verdict(DIFFERENT, "They differ."),
        (Run("A", "a.json", ()), Run("B", "b.json", ())),
        (),
        tuple(Chart(f"Loss, {name}", "", curves, prominent=name == "rank 0") for name in names),
        tuple(Strip(name, steps, 0) for name in names),
        (),
        (),
    )
    html = page.render(report)
    assert len(html.encode()) < 1_000_000
    assert html.count('class="strip"') == 100
    assert "900 more strips, not drawn: 900 of them differ." in html


def test_a_bin_with_one_different_step_is_red() -> None:
    states = ["same"] * 10_000
    states[7777] = "differs"
    found = bins(states, 100)
    assert found == [Bin(0, 7699, "same"), Bin(7700, 7799, "differs"), Bin(7800, 9999, "same")]


def test_a_thinned_curve_keeps_every_peak_and_every_gap() -> None:
    draw = random.Random(1)
    values = [draw.random() for _ in range(50_000)]
    values[31_337], values[31_340], values[42_424] = 9.0, -9.0, float("nan")
    points = tuple(enumerate(values))
    kept = thinned(Curve(0, points), step_axis(0, 49_999), 500)
    assert len(kept) <= 5 * 500
    assert {(31_337, 9.0), (31_340, -9.0), points[0], points[-1]} <= set(kept)
    assert any(step == 42_424 for step, _ in kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)


@pytest.mark.parametrize(
    "values",
    [(0.0,), (3.0, 3.0), (1.7e308, -1.7e308), (5e-324, 1e308), (1e-320, 2e-320), (-1e-9, 1e-9)],
)
def test_any_finite_values_have_an_axis_with_ticks_on_it(values: tuple[float, ...]) -> None:
    axis = value_axis(values)
    assert all(0 <= axis.scale(value) <= 1 for value in values)
    assert all(-1e-9 <= axis.scale(tick) <= 1 + 1e-9 for tick in axis.ticks)
    assert len(axis.ticks) < 12
    assert charts.shown(axis.ticks[0]) if axis.ticks else True


# --- the page in a browser ----------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "there is no chromium command"
        if os.environ.get("SEED_INIT_REQUIRE_ENGINE") == "1":
            pytest.fail(f"SEED_INIT_REQUIRE_ENGINE=1, but {missing}", pytrace=False)
        pytest.skip(f"{missing} (tools/browser.sh installs it)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


def picture(tab: Any, file: Path) -> None:
    """Take a picture of a whole page. Chromium on a busy machine may fail to, once."""
    try:
        tab.screenshot(path=file, full_page=True)
    except sys.modules["playwright.sync_api"].Error:
        tab.screenshot(path=file, full_page=True)


@pytest.fixture(scope="module")
def pictures() -> Path:
    """Where the screenshots go; what a former run has left is removed."""
    folder = Path(
        os.environ.get("SEED_INIT_ARTEFACTS") or REPOSITORY / ".cache/artefacts", "report"
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def open_page(browser: Any, pages: Path) -> Iterator[Callable[..., Any]]:
    """Open a page; in the end it must have asked for nothing and complained of nothing."""
    opened: list[Any] = []
    heard: list[str] = []

    def open_page(name: str, view: str = "desk", scheme: str = "light") -> Any:
        tab = browser.new_page(viewport=VIEWS[view], color_scheme=scheme)
        opened.append(tab)
        link = (pages / f"{name}.html").as_uri()
        tab.on("request", lambda asked: asked.url == link or heard.append(asked.url))
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.emulate_media(media="print" if view == "print" else "screen", color_scheme=scheme)
        tab.goto(link)
        return tab

    yield open_page
    for tab in opened:
        tab.close()
    assert heard == []


CUT_OFF = """() => [...document.querySelectorAll('td, th, dd, p, li, pre, h1, h2, h3, summary')]
    .filter(each => !each.closest('.wide') && each.getClientRects().length
        && each.getBoundingClientRect().right > innerWidth + 0.5)
    .map(each => each.textContent)"""

CONTRAST = """() => {
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const parts = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const ground = each => {
        for (; each; each = each.parentElement) {
            const color = parts(getComputedStyle(each).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
        }
    };
    const poor = new Set();
    for (const each of document.querySelectorAll('body *')) {
        const own = [...each.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || !each.getClientRects().length) continue;
        const style = getComputedStyle(each);
        const ink = parts(each instanceof SVGElement ? style.fill : style.color);
        const [a, b] = [light(ink), light(ground(each))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(each.tagName + ': ' + each.textContent);
    }
    return [...poor];
}"""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_phone_desk_and_paper(
    open_page: Callable[..., Any], pictures: Path, name: str, view: str
) -> None:
    tab = open_page(name, view)
    picture(tab, pictures / f"{name}-{view}.png")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(CUT_OFF) == []
    assert tab.locator("h1").is_visible()
    words = {"identical": "Identical", "plain": "Not compared"}
    assert tab.locator("h1").inner_text() == words.get(name, "Different")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(
    open_page: Callable[..., Any], pictures: Path, scheme: str
) -> None:
    for name in ("verified", "ranks"):
        tab = open_page(name, "desk", scheme)
        picture(tab, pictures / f"{name}-{scheme}.png")
        assert tab.evaluate(CONTRAST) == []
    ground = "getComputedStyle(document.body).backgroundColor"
    assert (tab.evaluate(ground) == "rgb(255, 255, 255)") == (scheme == "light")


def test_paper_is_white_whatever_the_screen_is(open_page: Callable[..., Any]) -> None:
    tab = open_page("ranks", "print", "dark")
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert tab.evaluate(CONTRAST) == []
    adjust = "getComputedStyle(document.querySelector('.strip rect')).printColorAdjust"
    assert tab.evaluate(adjust) == "exact"


@pytest.mark.parametrize("view", ["phone", "desk"])
def test_the_strip_is_red_where_the_step_differs(open_page: Callable[..., Any], view: str) -> None:
    tab = open_page("long", view)
    strip = tab.locator(".strip")
    red = strip.locator("rect.differs").first
    first, last = (int(red.get_attribute(f"data-{end}")) for end in ("first", "last"))
    assert LATE - LONG // 100 < first <= LATE <= last
    whole, box = strip.bounding_box(), red.bounding_box()
    assert box["x"] == pytest.approx(whole["x"] + whole["width"] * first / LONG, abs=1)
    assert box["width"] >= 2
    green = strip.locator("rect.same").first.bounding_box()
    assert box["height"] > 1.5 * green["height"]
    assert strip.locator("text").text_content() == f"step {LATE:,}"
    described = strip.get_by_role("img").get_attribute("aria-label")
    assert f"{LONG:,} steps" in described
    assert f"first at step {LATE:,} (gradient of 2.bias" in described


def test_curves_that_coincide_can_both_be_seen(open_page: Callable[..., Any]) -> None:
    tab = open_page("identical")
    first, second = tab.locator("polyline").all()
    assert first.get_attribute("points") == second.get_attribute("points")
    look = "e => [getComputedStyle(e).strokeWidth, getComputedStyle(e).strokeDasharray]"
    (wide, solid), (narrow, dashed) = first.evaluate(look), second.evaluate(look)
    assert float(wide[:-2]) >= 2 * float(narrow[:-2])
    assert (solid, dashed == "none") == ("none", False)
    # The legend tells them apart by the same dashes.
    keys = [each.evaluate(look) for each in tab.locator(".legend .line").all()]
    assert [dash for _, dash in keys] == [solid, dashed]
    box = first.bounding_box()
    assert box["width"] > 800
    assert box["height"] > 100


def test_losses_that_are_no_numbers_are_plotted_as_such(open_page: Callable[..., Any]) -> None:
    tab = open_page("not-finite")
    chart = tab.locator(".chart").first
    assert chart.locator("polyline.s1").bounding_box()["height"] > 100
    assert chart.locator(".edge.s1").bounding_box()["width"] > 100
    assert re.search(r"\d+ not finite, inf first at step \d+", chart.inner_text())
    assert "NaN" not in chart.inner_html()


def test_a_plain_script_has_no_empty_charts(open_page: Callable[..., Any]) -> None:
    tab = open_page("plain")
    assert tab.get_by_text("No training steps were seen.").count() == 2
    assert tab.locator(".strip, .chart").count() == 0


def test_what_the_user_wrote_is_shown_and_never_obeyed(open_page: Callable[..., Any]) -> None:
    for name in ("verified", "plain"):
        tab = open_page(name)
        assert tab.title().endswith("seed-init report")
        assert tab.locator("script, img").count() == 0
    text = open_page("verified").locator("body").inner_text()
    assert TAGS in text  # the audit's source line
    assert "\\u202etxt.exe\\x1b[31m" in text
    assert "\u202e" not in text


def test_the_difference_is_told_with_line_values_and_remedy(open_page: Callable[..., Any]) -> None:
    text = open_page("verified").locator("main").inner_text()
    for told in (
        f"First observed at step {STEP}: aten::index_put_ in encoder.layers.0",
        "/workspace/train.py:48, in forward",
        "weights[index] += update",
        "fingerprint 1a2b",
        "DETERMINISM=strict",
        "What broke equality: hash seed.",
        "standard error: it was not asked for",
        "listing: 1",
        "10,240",
    ):
        assert told in text


def test_a_reader_who_listens_gets_headings_tables_and_pictures_in_words(
    open_page: Callable[..., Any],
) -> None:
    tab = open_page("ranks", "phone")
    assert tab.get_by_role("heading", level=1).count() == 1
    headings = tab.get_by_role("heading", level=2).all_inner_texts()
    assert headings == ["Records", "First difference", "Steps", "Loss", "Environment", "Audit"]
    assert [
        each for each in tab.get_by_role("img").all() if not each.get_attribute("aria-label")
    ] == []
    differing = tab.locator("table.differing")
    # Laid out for a phone, it still is a table.
    row = differing.get_by_role("row").filter(has_text="float32_matmul_precision")
    assert row.get_by_role("rowheader").inner_text() == "float32_matmul_precision"
    assert row.get_by_role("cell").all_inner_texts() == ["highest", "high"]
    heads = differing.get_by_role("columnheader").all()
    assert [head.inner_text() for head in heads] == [
        "A (ranks.json)",
        "B (ranks-nudged.json)",
    ]
    for head, cell in zip(heads, row.get_by_role("cell").all()):
        assert head.bounding_box()["x"] == pytest.approx(cell.bounding_box()["x"], abs=2)
