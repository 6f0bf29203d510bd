"""The README: short, its commands are real, its figures are those of the pages that it links to."""

import re
import shlex

import pytest

from harness.repository import REPOSITORY
from seed_init import cli
from seed_init.hook import startup

from .pages import Page, page, pages

README = page("README.md")
CHINESE = page("README.zh-CN.md")

LONGEST = 100
"""Lines of the README: it is for a person with five minutes."""

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?![\w.]*\d)")


def commands(of: Page) -> list[str]:
    """What is typed in the console blocks of a page, without what follows a `#`."""
    typed = "\n".join(block.text for block in of.code("console")).replace("\\\n", " ")
    found = (line[2:] for line in typed.splitlines() if line.startswith("$ "))
    return [" ".join(shlex.split(line, comments=True)) for line in found]


def without_comments(of: Page) -> list[str]:
    return [re.sub(r"\s+# .*", "", line) for b in of.code() for line in b.text.splitlines()]


# --- The README -----------------------------------------------------------------------------


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(README.path.read_text().splitlines()) <= LONGEST


def test_the_test_command_of_the_readme_is_what_ci_runs() -> None:
    assert "`make test`" in README.section("Test it")
    assert "make test\n" in (REPOSITORY / ".ci/run").read_text()


def test_the_variables_of_the_readme_are_accepted_with_their_values() -> None:
    rows = README.table("The six variables that people use").body
    assert len(rows) == 6
    for name, values, _ in rows:
        known = startup.ACCEPTED.get(name.strip("`"))
        if known:
            assert set(re.findall(r"`(\w+)`", values)) == set(known)
        else:
            assert name in ("`SEED`", "`SEED_INIT`")


def test_each_figure_of_the_readme_stands_on_the_page_that_it_links_to() -> None:
    bullets = re.findall(r"^- (.*(?:\n  .*)*)", README.section("What to expect"), re.MULTILINE)
    assert len(bullets) >= 4
    for bullet in bullets:
        (link,) = re.findall(r"\]\(([^)]+)", bullet)
        name, _, anchor = link.partition("#")
        source = page(name).section(page(name).anchors()[anchor])
        numbers = NUMBER.findall(re.sub(r"\([^()]*\]\([^)]*\)\)|`[^`]*`", "", bullet))
        assert numbers, bullet
        missing = [
            n for n in numbers if not re.search(rf"(?<![\d.]){re.escape(n)}(?![\d])", source)
        ]
        assert missing == [], f"{link} does not have {missing}"


# --- The README in Chinese ------------------------------------------------------------------


def test_both_readmes_have_the_same_commands() -> None:
    assert without_comments(CHINESE) == without_comments(README)


def test_both_readmes_have_the_same_tables() -> None:
    def codes(cell: str) -> list[str]:
        return re.findall(r"`[^`]+`|\]\([^)]+\)", cell)

    ours, theirs = README.tables(), CHINESE.tables()
    assert [len(table.rows) for table in theirs] == [len(table.rows) for table in ours]
    for our, their in zip(ours, theirs):
        for row, translated in zip(our.body, their.body):
            assert [*map(codes, translated)] == [*map(codes, row)]


def test_both_readmes_have_the_same_headings_figures_and_links() -> None:
    assert len(CHINESE.headings()) == len(README.headings())
    swapped = {"README.md": "README.zh-CN.md", "README.zh-CN.md": "README.md"}
    assert [swapped.get(link, link) for link in CHINESE.links()] == [*README.links()]
    ours = NUMBER.findall(README.section("What to expect"))
    theirs = NUMBER.findall(
        CHINESE.section(CHINESE.headings()[README.headings().index("What to expect")])
    )
    assert sorted(theirs) == sorted(ours)


# --- Every page -----------------------------------------------------------------------------


def seed_init_commands(of: Page) -> list[list[str]]:
    """The words of each `seed-init` command line in the console blocks of a page."""
    found = []
    for line in commands(of):
        for part in re.split(r" (?:&&|\|\||\|) ", line):
            words = part.split()
            while words and re.match(r"^[A-Z_]+=", words[0]):
                words = words[1:]
            if words[:1] == ["seed-init"]:
                found.append(words[1:])
    return found


@pytest.mark.parametrize("name", [each.name for each in pages() if seed_init_commands(each)])
def test_the_command_lines_of_a_page_are_accepted_by_the_real_parser(name: str) -> None:
    for words in seed_init_commands(page(name)):
        try:
            cli.parser().parse_args(words)
        except SystemExit as ended:
            assert ended.code == 0, words


def test_every_target_of_make_that_a_page_names_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        (each.name, target)
        for each in pages()
        for line in each.typed()
        for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", line)
    }
    assert len(named) > 10
    assert sorted((name, target) for name, target in named if target not in targets) == []


def test_every_service_of_compose_that_a_page_names_exists() -> None:
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    services = set(re.findall(r"^  (\w+):$", compose.partition("\nservices:\n")[2], re.MULTILINE))
    named = {
        (each.name, service)
        for each in pages()
        for line in each.typed()
        for service in re.findall(
            r"docker compose (?:run --rm|up|logs) (?:-\S+ (?:\w+=\w+ )?)*(\w+)", line
        )
    }
    assert len(named) > 5
    assert sorted((name, service) for name, service in named if service not in services) == []
