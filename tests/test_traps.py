"""docs/guides/fair-comparison.md and what measures it again speak of the same rows."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

TRAPS = runpy.run_path("scripts/traps.py")
ROWS = {row.name: row for row in TRAPS["ROWS"]}
GUIDE = Path("docs/guides/fair-comparison.md")
RELIED_ON = (
    "avif-grid",
    "bd-rate-of-a-fall",
    "constriction-accounts",
    "hydra-values",
    "jxl-transcodes",
    "psnr-hvsm-identical",
    "safetensors-metadata",
    "torch-bits",
    "wandb-floats",
)
"""Rows that the project has a precaution for: does one no longer hold, it may go."""


def test_the_guide_has_the_rows_that_are_measured() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert rows == 2 * list(ROWS), "once with what was measured, once with the test that holds it"


def test_the_tests_that_the_guide_names_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUIDE.read_text("utf-8")))
    sources = [path.read_text("utf-8") for path in Path("tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 20
    assert named <= there, named - there


def test_every_row_of_the_guide_says_what_to_do_and_what_is_done_here() -> None:
    measured, _, _ = GUIDE.read_text("utf-8").partition("## Where this was measured")
    for line in [line for line in measured.splitlines() if line.startswith("| `")]:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 5, line
        assert all(cells), line


@pytest.mark.parametrize("name", RELIED_ON)
def test_the_row_holds(name: str) -> None:
    y, x = np.mgrid[:256, :256]
    waves = [100 * np.sin(x / (9 + 4 * c) + y / (31 - 8 * c)) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 6, (256, 256, 3))
    photograph = (128 + np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8)
    outcome, said = TRAPS["result"](ROWS[name], [photograph])
    assert outcome != "differs", said


def test_a_row_whose_package_is_missing_is_skipped_with_the_reason() -> None:
    row = TRAPS["Row"]("name", ("no-such-package",), ("no-such-program",), lambda _: (True, ""))
    outcome, said = TRAPS["result"](row, [])
    assert outcome == "skipped"
    assert "package no-such-package, program no-such-program" in said
