"""Our models with settings of coding, as an evaluation sees them: codecs of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncodec.bitstream import info
from rnncodec.data.photos import DemoPhotos
from rnncodec.errors import ConfigError
from rnncodec.evaluation.codecs import EvaluatedModel

GOLDEN = Path(__file__).parents[1] / "golden" / "model.safetensors"


def test_every_iteration_is_a_setting_and_a_prefix() -> None:
    image = next(image for _, image in DemoPhotos("train"))[20:68, 180:244]
    model = EvaluatedModel("golden", GOLDEN)
    found = list(model.coding("mse=1e-3").code(image))
    assert [coded.setting for coded in found] == ["t=1", "t=2", "t=3"]
    assert [coded.iteration for coded in found] == [None] * 3
    whole = found[-1].data
    assert info(whole).header.adaptive
    for coded in found:
        assert whole.startswith(coded.data)
        np.testing.assert_array_equal(coded.picture, np.asarray(model.codec.decode(coded.data)))


def test_after_the_last_block_has_ended_the_file_stays_the_same() -> None:
    flat = np.full((32, 48, 3), 90, np.uint8)
    found = list(EvaluatedModel("golden", GOLDEN).coding("mse=0.1").code(flat))
    assert len(found) == 3
    assert len({coded.data for coded in found}) == 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"adaptive": "ssim"}, "golden+ssim"),
        ({"effort": 2}, "golden+effort=2"),
        ({"adaptive": "ssim", "effort": 2}, "golden+ssim+effort=2"),
    ],
)
def test_settings_are_part_of_name_identity_and_coding(
    settings: dict[str, Any], name: str
) -> None:
    image = next(image for _, image in DemoPhotos("train"))[20:68, 180:244]
    model = EvaluatedModel("golden", GOLDEN, iterations=2)
    found = model.coding(**settings)
    assert found.name == name
    assert found.identity() == {**model.identity(), **settings}
    *_, last = found.code(image)
    assert last.data == model.codec.encode(image, iterations=2, **settings)


def test_what_is_no_rule() -> None:
    model = EvaluatedModel("golden", GOLDEN)
    with pytest.raises(ConfigError, match="adaptive=best: expected one of ssim, mse"):
        model.coding("best")
