"""docs/guides/fair-comparison.md and what measures it again speak of the same rows."""

import io
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.evaluation.baselines import BASELINES

TRAPS = runpy.run_path("scripts/traps.py")
ROWS = {row.name: row for row in TRAPS["ROWS"]}
GUIDE = Path("docs/guides/fair-comparison.md").read_text("utf-8")
WARNINGS, _, TESTS = GUIDE.partition("\n## Where it was measured\n")
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
    rows = re.findall(r"^\| `([\w-]+)` \|", WARNINGS, re.MULTILINE)
    assert rows == list(ROWS)


def test_every_row_of_the_guide_says_what_to_do_and_what_is_done_here() -> None:
    lines = [line for line in WARNINGS.splitlines() if line.startswith("| `")]
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 5, line
        assert all(cells), line


def test_every_row_has_its_test_or_the_reason_why_not() -> None:
    found = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", TESTS, re.MULTILINE))
    assert list(found) == list(ROWS)
    for cell in found.values():
        if not cell.startswith("none: "):
            path, _, function = cell.strip("`").partition("::")
            assert f"def {function}(" in Path(path).read_text("utf-8"), cell


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("avif", {"speed": 6, "max_threads": 1}),
        ("jxl", {"effort": 7, "num_threads": 1}),
    ],
)
def test_encoders_are_asked_for_what_the_guide_says(name: str, options: dict[str, int]) -> None:
    baseline = BASELINES[name]
    if baseline.plugin is not None:
        pytest.importorskip(baseline.plugin[0])
    y, x = np.mgrid[:64, :64]
    picture = np.stack([x * 3, y * 3, x + y], -1).astype(np.uint8)
    quality = baseline.settings[6]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, name.upper(), quality=round(quality), **options)
    assert baseline.encode(picture, quality) == file.getvalue()


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
