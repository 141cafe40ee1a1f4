"""What README, CONTRIBUTING and docs/ say of each other and of the code is there."""

import re
from pathlib import Path

import pytest
from tests.test_layout import FLOORS

PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").rglob("*.md"))]
STUDIES = sorted(path.name for path in Path("docs/experiments").glob("0*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
SNIPPET = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    local = [name for name in LINK.findall(text) if not name.startswith("http")]
    wanted = [page.parent / name for name in local] + [
        Path(name) for name in SNIPPET.findall(text)
    ]
    missing = [str(path) for path in wanted if not path.exists()]
    assert not missing


def test_the_readme_is_one_screen_to_the_first_success() -> None:
    lines = Path("README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    assert next(n for n, line in enumerate(lines) if line.startswith("rnncodec compress")) < 20


def test_studies_are_numbered_and_ask_a_question() -> None:
    assert [name[:4] for name in STUDIES] == [f"{n:04d}" for n in range(1, len(STUDIES) + 1)]
    for name in STUDIES:
        title, _, rest = Path("docs/experiments", name).read_text("utf-8").partition("\n")
        assert title.startswith("# "), name
        assert title.endswith("?"), name
        assert rest.lstrip().startswith("**What follows.**"), name


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_listed(name: str) -> None:
    assert f"({name})" in Path("docs/experiments/README.md").read_text("utf-8")
    assert f"experiments/{name}" in Path("mkdocs.yml").read_text("utf-8")


def test_settings_and_comments_name_studies_that_exist() -> None:
    files = [*Path("sweeps").glob("*.yaml"), *Path("conf").rglob("*.yaml")]
    files += Path("src").rglob("*.py")
    named = re.findall(
        r"docs/experiments/(\d{4})", "".join(path.read_text("utf-8") for path in files)
    )
    assert named
    assert set(named) <= {name[:4] for name in STUDIES}


def test_the_settings_page_names_every_group() -> None:
    page = Path("docs/guides/settings.md").read_text("utf-8")
    groups = {path.name for path in Path("conf").iterdir() if path.is_dir()}
    untold = {"trainer", "experiment"}  # single settings and recipes, told of elsewhere
    assert not {name for name in groups - untold if f"`{name}`" not in page}


def test_the_picture_of_packages_has_all_of_them() -> None:
    """`python scripts/figures/packages.py` draws it anew."""
    picture = Path("docs/pictures/packages.svg").read_text("utf-8")
    assert set(re.findall(r">(\w+)</text>", picture)) == set().union(*FLOORS)


def test_contributing_names_files_and_tests_that_exist() -> None:
    text = Path("CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"\b(?:tests|src|docs|conf|scripts)/[\w/.-]*\w", text)
    assert len(named) > 15
    assert not {name for name in named if "NAME" not in name and not Path(name).exists()} - {
        "docs/experiments/NNNN-question.md"
    }
