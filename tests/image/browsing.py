"""JupyterLab as a person uses it: menus, cells, keys, and what is on the page."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Playwright

VIEWPORT = {"width": 1280, "height": 800}
WAIT_S = 90.0  # on a busy machine `import torch` alone may take half a minute

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"

MARK = """cells => cells.forEach(cell =>
    cell.querySelectorAll('.jp-OutputArea-output').forEach(shown => shown.dataset.before = ''))
"""
HAVE_RUN = """([cells, wanted]) => {
    const all = document.querySelectorAll(cells);
    return wanted.every(number => {
        const shown = [...all[number].querySelectorAll('.jp-OutputArea-output')];
        return /\\d/.test(all[number].querySelector('.jp-InputPrompt').textContent)
            && shown.length && shown.every(one => !('before' in one.dataset));
    });
}"""
"""A cell that waits or runs has `[*]:` for a prompt; JupyterLab makes new elements for new output,
so what is marked is what a former run has left."""

ROWS = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"


def find_chromium() -> str | None:
    """Where Debian's Chromium is (tools/browser.sh installs it)."""
    return shutil.which("chromium")


def launch(playwright: Playwright, chromium: str) -> Browser:
    """A headless Chromium. Playwright's default is no sandbox, which root could not have."""
    return playwright.chromium.launch(executable_path=chromium)


@dataclass
class Pictures:
    """Screenshots of one test, in the order in which they were taken.

    Attributes:
        folder: where they go.
        test: what their names begin with.
    """

    folder: Path
    test: str
    taken: int = 0

    def take(self, page: Page, step: str) -> None:
        self.taken += 1
        page.screenshot(path=self.folder / f"{self.test}-{self.taken:02d}-{step}.png")


@dataclass
class Lab:
    """One page with JupyterLab.

    Attributes:
        page: the page, in a browser session of its own: no cookie of another test.
        pictures: its screenshots.
        errors: what the page's scripts have thrown.
    """

    page: Page
    pictures: Pictures
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_S * 1000)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def snap(self, step: str) -> None:
        """Keep a screenshot, as an artefact of the test run."""
        self.pictures.take(self.page, step)

    # --- the application ----------------------------------------------------------------

    def open(self, link: str) -> None:
        """Follow a link with a token, and wait for the launcher."""
        self.page.goto(link)
        self.page.locator(".jp-Launcher-body").wait_for()
        # The page is complete once it has listed the folder.
        self.page.locator(".jp-DirListing-content").wait_for()

    def menu(self, *labels: str) -> None:
        """Choose from the menus: menu, entry, entry of the entry's own menu."""
        self.page.get_by_role("menubar").get_by_text(labels[0], exact=True).click()
        for label in labels[1:]:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True).click()

    def notifications(self) -> list[str]:
        """The texts of the boxes in the lower right corner."""
        return self.page.locator(".Toastify__toast").all_inner_texts()

    # --- a notebook ---------------------------------------------------------------------

    @property
    def cells(self) -> Locator:
        """The code cells of the notebook in front."""
        return self.page.locator(f"{NOTEBOOK} .jp-CodeCell")

    def open_folder(self, name: str) -> None:
        """Enter a folder in the list of files."""
        self.page.locator(".jp-DirListing-itemName").get_by_text(name, exact=True).dblclick()
        self.page.locator(".jp-BreadCrumbs-item").get_by_text(name, exact=True).wait_for()

    def open_notebook(self, name: str) -> None:
        """Open a notebook from the list of files, and wait for its kernel."""
        self.page.locator(".jp-DirListing-itemName").get_by_text(name, exact=True).dblclick()
        self.wait_for_kernel()

    def new_notebook(self) -> None:
        """Make a notebook with one empty cell from the launcher, and wait for its kernel."""
        self.page.locator(".jp-LauncherCard[data-category=Notebook]").click()
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the notebook has a kernel that is idle.

        By the status bar: the notebook's own indicator is idle too before there is a kernel, and
        what is run then makes JupyterLab ask for one.
        """
        idle = re.compile(r"Python 3.* \| Idle$")
        self.page.locator("#jp-main-statusbar").get_by_text(idle).wait_for()

    def run_all(self) -> None:
        """Run > Run All Cells. Every cell has to write something."""
        self._mark()
        self.menu("Run", "Run All Cells")
        self.wait_for_runs(*range(self.cells.count()))

    def restart_and_run_all(self) -> None:
        """Kernel > Restart Kernel and Run All Cells… Every cell has to write something."""
        self._mark()
        self.menu("Kernel", "Restart Kernel and Run All Cells…")
        self.snap("asked-whether-to-restart")
        self.confirm("Restart")
        self.wait_for_runs(*range(self.cells.count()))

    def restart_and_clear(self) -> None:
        """Kernel > Restart Kernel and Clear Outputs of All Cells…"""
        self.menu("Kernel", "Restart Kernel and Clear Outputs of All Cells…")
        self.confirm("Restart")
        self.page.wait_for_function(
            "cells => !document.querySelector(cells + ' .jp-OutputArea-output')",
            arg=f"{NOTEBOOK} .jp-CodeCell",
        )
        self.wait_for_kernel()

    def confirm(self, button: str) -> None:
        """Press a button of the dialog in front, and wait until the dialog is gone."""
        dialog = self.page.locator(".jp-Dialog")
        dialog.get_by_role("button").filter(has_text=button).click()
        dialog.wait_for(state="detached")

    def run_cell(self, number: int) -> str:
        """Click a cell, press Shift+Enter, and wait; what it shows then.

        It has to show something.
        """
        self._mark()
        self.cells.nth(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.wait_for_runs(number)
        return self.output(number)

    def type_into(self, number: int, text: str) -> None:
        """Replace a cell's text as a person does: select all of it, and type."""
        editor = self.cells.nth(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def source(self, number: int) -> str:
        """The text in a cell's editor."""
        return "\n".join(self.cells.nth(number).locator(".cm-line").all_inner_texts())

    def collapse_code(self, number: int) -> None:
        """Hide a cell's text: press the bar to its left."""
        cell = self.cells.nth(number)
        cell.locator(".jp-InputCollapser").click(force=True)
        cell.locator(".jp-Placeholder").wait_for()

    def output(self, number: int) -> str:
        """What a cell shows below its text.

        Not its inner text, which is empty while the cell is out of view: JupyterLab leaves that to
        the browser's `content-visibility`.
        """
        return self.cells.nth(number).locator(".jp-OutputArea").text_content()

    def table(self, number: int) -> list[list[str]]:
        """The rows of the table that a cell shows."""
        rows: list[list[str]] = self.cells.nth(number).get_by_role("table").evaluate(ROWS)
        return rows

    def outputs(self) -> list[str]:
        return [self.output(number) for number in range(self.cells.count())]

    def show_output(self, number: int) -> None:
        """Scroll until the end of what a cell shows is the lowest in view."""
        shown = self.cells.nth(number).locator(".jp-OutputArea")
        shown.evaluate("shown => shown.scrollIntoView({block: 'end'})")

    def wait_for_runs(self, *numbers: int) -> None:
        """Wait until cells have run since the last mark."""
        self.page.wait_for_function(HAVE_RUN, arg=[f"{NOTEBOOK} .jp-CodeCell", list(numbers)])

    def _mark(self) -> None:
        self.cells.evaluate_all(MARK)

    # --- a terminal ---------------------------------------------------------------------

    def new_terminal(self) -> Locator:
        """File > New > Terminal."""
        self.menu("File", "New", "Terminal")
        terminal = self.page.locator(".jp-Terminal:not(.lm-mod-hidden)")
        terminal.wait_for()
        return terminal


NUMBER = re.compile(r"\d+\.\d+(?:e-\d+)?")


def numbers(text: str) -> list[float]:
    """The numbers with a decimal point in what a cell shows."""
    return [float(found) for found in NUMBER.findall(text)]
