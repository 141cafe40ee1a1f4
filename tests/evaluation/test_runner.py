"""A study is measured once, whatever interrupts it, and the same in any number of processes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncodec.codec import Codec
from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation import cache
from rnncodec.evaluation.baselines import BASELINES
from rnncodec.evaluation.codecs import Coded, EvaluatedModel
from rnncodec.evaluation.inputs import inputs_in
from rnncodec.evaluation.measuring import Study
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.runner import run

Gallery = Callable[..., Path]
JPEG = replace(BASELINES["jpeg-420"], settings=(10.0, 80.0))


@dataclass
class Brighter:
    """A toy codec: off by 5, then 2 levels; counts its work; refuses narrow images."""

    name: str = "brighter"
    suffix: str | None = None
    strength: int = 1
    coded: list[int] = field(default_factory=list)

    def identity(self) -> dict[str, Any]:
        return {"strength": self.strength}

    def code(self, image: np.ndarray) -> Iterator[Coded]:
        if image.shape[1] < 20:
            raise DataError("too narrow for brighter")
        self.coded.append(image.shape[1])
        for error in (5, 2):
            yield Coded(f"e={error}", None, b"x" * error, image + np.uint8(error), 0.5, 0.25)


def timeless(results: list[Result]) -> list[Result]:
    return [replace(result, encode_s=None, decode_s=None) for result in results]


def test_a_second_run_measures_nothing_and_finds_the_same(
    gallery: Gallery, tmp_path: Path
) -> None:
    codec = Brighter()
    study = Study([codec], inputs_in(gallery(a=(24, 24), b=(24, 30))), tmp_path / "out")
    first = run(study, progress=False)
    second = run(study, progress=False)
    assert codec.coded == [24, 30]
    assert (first.found, second.found) == (0, 2)
    assert first.results == second.results
    assert first.peak_memory == second.peak_memory


def test_an_interrupted_run_goes_on_where_it_stopped(gallery: Gallery, tmp_path: Path) -> None:
    images = inputs_in(gallery(a=(24, 24), b=(24, 30), c=(24, 36)))

    class Interrupted(Brighter):
        def code(self, image: np.ndarray) -> Iterator[Coded]:
            if image.shape[1] == 30:
                raise KeyboardInterrupt
            yield from super().code(image)

    with pytest.raises(KeyboardInterrupt):
        run(Study([Interrupted()], images, tmp_path / "out"), progress=False)
    codec = Brighter()
    measured = run(Study([codec], images, tmp_path / "out"), progress=False)
    assert (measured.found, codec.coded) == (1, [30, 36])
    assert [row.image for row in measured.results] == ["a", "a", "b", "b", "c", "c"]


def test_what_a_figure_depends_on_is_measured_again(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = gallery(a=(24, 24))

    def found(codec: Brighter, **more: Any) -> int:
        study = Study([codec], inputs_in(folder), tmp_path / "out", **more)
        return run(study, progress=False).found

    assert [found(Brighter()), found(Brighter(name="renamed"))] == [0, 1]
    assert found(Brighter(strength=2)) == 0
    assert found(Brighter(), further=["spatial_correlation_coefficient"]) == 0
    monkeypatch.setattr(cache, "__version__", "99")
    assert found(Brighter()) == 0
    (folder / "a.png").unlink()
    (folder / "b.png").write_bytes((gallery(c=(24, 28)) / "c.png").read_bytes())
    (folder / "c.png").unlink()
    assert found(Brighter()) == 0, "another file"


def test_a_damaged_cache_is_measured_again(gallery: Gallery, tmp_path: Path) -> None:
    study = Study([Brighter()], inputs_in(gallery(a=(24, 24))), tmp_path / "out")
    first = run(study, progress=False)
    (entry,) = (tmp_path / "out/cache").iterdir()
    entry.write_text(entry.read_text()[:-9])
    again = run(study, progress=False)
    assert again.found == 0
    assert again.results == first.results


def test_a_failure_is_a_row_with_its_reason_and_is_tried_again(
    gallery: Gallery, tmp_path: Path
) -> None:
    images = inputs_in(gallery(a=(24, 24), broken=None, narrow=(24, 16)))
    study = Study([Brighter(), JPEG], images, tmp_path / "out")
    measured = run(study, progress=False)
    failed = [row for row in measured.results if row.bytes is None]
    assert [(row.codec, row.image) for row in failed] == [
        *(("brighter", "broken"), ("brighter", "narrow"), ("jpeg-420", "broken"))
    ]
    assert failed[1].reason == "too narrow for brighter"
    assert {row.reason for row in failed[::2]} == {
        f"cannot read image {images[1].path}: not a format that Pillow decodes"
    }
    assert all(row.psnr_rgb is None and row.bpp is None for row in failed)
    small = [row for row in measured.results if row.image == "a"]
    assert {row.reason for row in small} == {
        "ms_ssim needs sides of at least 176 pixels, got 24x24"
    }
    assert all(row.ms_ssim is None and row.ssim is not None for row in small)
    assert run(study, progress=False).found == 3


def test_two_processes_find_what_one_does(
    tiny_codec: Codec, gallery: Gallery, tmp_path: Path
) -> None:
    tiny_codec.save(tmp_path / "tiny.safetensors")
    images = inputs_in(gallery(a=(32, 40), b=(40, 32), broken=None))
    codecs = [EvaluatedModel("tiny", tmp_path / "tiny.safetensors"), JPEG]
    one = run(Study(codecs, images, tmp_path / "one"), progress=False)
    two = run(Study(codecs, images, tmp_path / "two"), workers=2, progress=False)
    assert timeless(one.results) == timeless(two.results)
    kept = [
        [path.read_bytes() for path in sorted((tmp_path / out / "files").rglob("*.rnc"))]
        for out in ("one", "two")
    ]
    assert len(kept[0]) == 2
    assert kept[0] == kept[1]


def test_a_model_whose_file_is_gone_is_coded_again(
    tiny_codec: Codec, gallery: Gallery, tmp_path: Path
) -> None:
    tiny_codec.save(tmp_path / "tiny.safetensors")
    model = EvaluatedModel("tiny", tmp_path / "tiny.safetensors")
    study = Study([model], inputs_in(gallery(a=(32, 32), b=(32, 32))), tmp_path / "out")
    run(study, progress=False)
    study.kept_file("tiny", "a").unlink()
    study.kept_file("tiny", "b").write_bytes(b"other")
    assert run(study, progress=False).found == 0
    assert run(study, progress=False).found == 2


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers=0: expected at least 1"):
        run(Study([], [], tmp_path), workers=0)


def test_entries_are_readable_json(gallery: Gallery, tmp_path: Path) -> None:
    run(Study([Brighter()], inputs_in(gallery(a=(24, 24))), tmp_path / "out"), progress=False)
    (entry,) = (tmp_path / "out/cache").iterdir()
    rows = json.loads(entry.read_text())["results"]
    assert [row["setting"] for row in rows] == ["e=5", "e=2"]
    psnr = [10 * np.log10(255**2 / error**2) for error in (5, 2)]
    np.testing.assert_allclose([row["psnr_rgb"] for row in rows], psnr, rtol=1e-12)
