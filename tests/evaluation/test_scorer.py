import numpy as np
import pytest
import torch

from rnncodec.errors import DataError
from rnncodec.evaluation import evaluate_image
from rnncodec.evaluation.evaluate_image import Scorer
from rnncodec.evaluation.metrics import METRICS


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.integers(30, 220, (height, width, 3), np.uint8)
    return image, image + rng.integers(0, 9, image.shape, np.uint8)


@pytest.mark.parametrize(("height", "width"), [(180, 190), (60, 300), (9, 30), (5, 5)])
def test_scores_are_the_metrics_own_values(height: int, width: int) -> None:
    image, other = pictures(height, width)
    a, b = (torch.from_numpy(x).movedim(-1, 0)[None] for x in (image, other))
    values, reason = Scorer(image)(other)
    assert set(values) <= set(METRICS)
    for name in METRICS:
        if name not in values:
            assert f"{name} needs sides of at least" in reason
        else:
            assert values[name] == pytest.approx(METRICS[name](a, b).item(), rel=1e-12)
    assert (reason == "") == (height == 180)


def test_a_picture_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image, other = pictures(20, 20)
    calls = []
    measure = evaluate_image.all_metrics
    monkeypatch.setattr(
        evaluate_image,
        "all_metrics",
        lambda *pair: calls.append(1) or measure(*pair),  # type: ignore[func-returns-value]
    )
    scorer = Scorer(image)
    assert scorer(other) == scorer(other.copy())
    assert scorer(image)[0]["psnr_rgb"] == np.inf
    assert len(calls) == 2


def test_a_further_metric_without_a_value_is_absent_with_its_reason() -> None:
    image, other = pictures(30, 30)
    values, reason = Scorer(image, ["visual_information_fidelity"])(other)
    assert "visual_information_fidelity" not in values
    assert "psnr_hvs" in values
    assert "Expected at least 41x41" in reason


def test_a_picture_of_another_size_is_an_error() -> None:
    image, other = pictures(12, 16)
    with pytest.raises(DataError, match=r"\(1, 3, 12, 16\), the test image \(1, 3, 11, 16\)"):
        Scorer(image)(other[1:])
