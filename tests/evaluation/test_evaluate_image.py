"""What fails is a row with a reason; what is missing is measured again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.evaluation.stand_in import Brighter

from rnncodec.codec import Codec
from rnncodec.evaluation.baselines import BASELINES
from rnncodec.evaluation.codecs import EvaluatedModel, images_in
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.runner import run

Gallery = Callable[..., Path]
JPEG = replace(BASELINES["jpeg-420"], settings=(10.0, 80.0))


def test_a_failure_is_a_row_with_its_reason_and_is_tried_again(
    gallery: Gallery, tmp_path: Path
) -> None:
    images = images_in(gallery(a=(24, 24), broken=None, narrow=(24, 16)))
    study = EvaluationSpec([Brighter(), JPEG], images, tmp_path / "out")
    measured = run(study, progress=False)
    failed = [row for row in measured.results if row.bytes is None]
    assert [(row.codec, row.image) for row in failed] == [
        *(("brighter", "broken"), ("brighter", "narrow"), ("jpeg-420", "broken"))
    ]
    assert failed[1].reason == "too narrow for brighter"
    assert {row.reason for row in failed[::2]} == {
        f"cannot read image {images[1].path}: it begins as PNG does, but: "
        "broken PNG file (chunk b'ing')"
    }
    assert all(not row.values and row.bpp is None for row in failed)
    small = [row for row in measured.results if row.image == "a"]
    assert {row.reason for row in small} == {
        "ms_ssim needs sides of at least 176 pixels, got 24x24"
    }
    assert all("ms_ssim" not in row.values and "ssim" in row.values for row in small)
    assert run(study, progress=False).found == 3


def test_a_model_whose_file_is_gone_is_coded_again(
    tiny_codec: Codec, gallery: Gallery, tmp_path: Path
) -> None:
    tiny_codec.save(tmp_path / "tiny.safetensors")
    model = EvaluatedModel("tiny", tmp_path / "tiny.safetensors")
    study = EvaluationSpec([model], images_in(gallery(a=(32, 32), b=(32, 32))), tmp_path / "out")
    run(study, progress=False)
    study.coded_file("tiny", "a").unlink()
    study.coded_file("tiny", "b").write_bytes(b"other")
    assert run(study, progress=False).found == 0
    assert run(study, progress=False).found == 2
