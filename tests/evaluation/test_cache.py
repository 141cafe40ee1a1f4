"""What was measured counts again only while all that it depends on is the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.stand_in import Brighter

from rnncodec.evaluation import evaluate_image
from rnncodec.evaluation.codecs import images_in
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.runner import run

Gallery = Callable[..., Path]


def test_what_a_figure_depends_on_is_measured_again(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = gallery(a=(24, 24))

    def found(codec: Brighter, **more: Any) -> int:
        study = EvaluationSpec([codec], images_in(folder), tmp_path / "out", **more)
        return run(study, progress=False).found

    assert [found(Brighter()), found(Brighter(name="renamed"))] == [0, 1]
    assert found(Brighter(strength=2)) == 0
    assert found(Brighter(), extra=["visual_information_fidelity"]) == 0
    monkeypatch.setattr(evaluate_image, "__version__", "99")
    assert found(Brighter()) == 0
    (folder / "a.png").unlink()
    (folder / "b.png").write_bytes((gallery(c=(24, 28)) / "c.png").read_bytes())
    (folder / "c.png").unlink()
    assert found(Brighter()) == 0, "another file"


def test_a_damaged_cache_is_measured_again(gallery: Gallery, tmp_path: Path) -> None:
    study = EvaluationSpec([Brighter()], images_in(gallery(a=(24, 24))), tmp_path / "out")
    first = run(study, progress=False)
    (entry,) = (tmp_path / "out/cache").iterdir()
    entry.write_text(entry.read_text()[:-9])
    again = run(study, progress=False)
    assert again.found == 0
    assert again.results == first.results


def test_entries_are_readable_json(gallery: Gallery, tmp_path: Path) -> None:
    run(
        EvaluationSpec([Brighter()], images_in(gallery(a=(24, 24))), tmp_path / "out"),
        progress=False,
    )
    (entry,) = (tmp_path / "out/cache").iterdir()
    rows = json.loads(entry.read_text())["results"]
    assert [row["setting"] for row in rows] == ["e=5", "e=2"]
    psnr = [10 * np.log10(255**2 / error**2) for error in (5, 2)]
    np.testing.assert_allclose([row["psnr_rgb"] for row in rows], psnr, rtol=1e-12)
