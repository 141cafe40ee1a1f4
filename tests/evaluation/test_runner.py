"""A study is measured once, whatever interrupts it, and the same in any number of processes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.stand_in import Brighter

from rnncodec.codec import Codec
from rnncodec.errors import ConfigError
from rnncodec.evaluation.baselines import BASELINES
from rnncodec.evaluation.codecs import CodedImage, EvaluatedModel, images_in
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.runner import run

Gallery = Callable[..., Path]
JPEG = replace(BASELINES["jpeg-420"], settings=(10.0, 80.0))


def timeless(results: list[Result]) -> list[Result]:
    return [replace(result, encode_s=None, decode_s=None) for result in results]


def test_a_second_run_measures_nothing_and_finds_the_same(
    gallery: Gallery, tmp_path: Path
) -> None:
    codec = Brighter()
    study = EvaluationSpec([codec], images_in(gallery(a=(24, 24), b=(24, 30))), tmp_path / "out")
    first = run(study, progress=False)
    second = run(study, progress=False)
    assert codec.coded == [24, 30]
    assert (first.found, second.found) == (0, 2)
    assert first.results == second.results
    assert first.peak_memory == second.peak_memory


def test_an_interrupted_run_goes_on_where_it_stopped(gallery: Gallery, tmp_path: Path) -> None:
    images = images_in(gallery(a=(24, 24), b=(24, 30), c=(24, 36)))

    class Interrupted(Brighter):
        def code(self, image: np.ndarray) -> Iterator[CodedImage]:
            if image.shape[1] == 30:
                raise KeyboardInterrupt
            yield from super().code(image)

    with pytest.raises(KeyboardInterrupt):
        run(EvaluationSpec([Interrupted()], images, tmp_path / "out"), progress=False)
    codec = Brighter()
    measured = run(EvaluationSpec([codec], images, tmp_path / "out"), progress=False)
    assert (measured.found, codec.coded) == (1, [30, 36])
    assert [row.image for row in measured.results] == ["a", "a", "b", "b", "c", "c"]


def test_two_processes_find_what_one_does(
    tiny_codec: Codec, gallery: Gallery, tmp_path: Path
) -> None:
    tiny_codec.save(tmp_path / "tiny.safetensors")
    images = images_in(gallery(a=(32, 40), b=(40, 32), broken=None))
    codecs = [EvaluatedModel("tiny", tmp_path / "tiny.safetensors"), JPEG]
    one = run(EvaluationSpec(codecs, images, tmp_path / "one"), progress=False)
    two = run(EvaluationSpec(codecs, images, tmp_path / "two"), workers=2, progress=False)
    assert timeless(one.results) == timeless(two.results)
    kept = [
        [path.read_bytes() for path in sorted((tmp_path / out / "files").rglob("*.rnc"))]
        for out in ("one", "two")
    ]
    assert len(kept[0]) == 2
    assert kept[0] == kept[1]


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers=-1: expected at least 0"):
        run(EvaluationSpec([], [], tmp_path), workers=-1)
