import numpy as np
import pytest
import torch
from torchmetrics.functional.image import visual_information_fidelity

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.metrics import EXTRA_METRICS, check_names, extra_metric


def pair(side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    image = rng.integers(20, 200, (1, 3, side, side))
    other = image + rng.integers(-9, 10, image.shape)
    return torch.from_numpy(image.astype(np.uint8)), torch.from_numpy(other.astype(np.uint8))


def test_the_reference_is_the_second_argument_of_torchmetrics() -> None:
    reference, test = pair()
    expected = visual_information_fidelity(test.float(), reference.float()).item()
    swapped = visual_information_fidelity(reference.float(), test.float()).item()
    assert expected != pytest.approx(swapped, rel=1e-3)
    assert extra_metric("visual_information_fidelity", reference, test) == expected


@pytest.mark.parametrize("name", EXTRA_METRICS)
def test_every_name_is_a_metric_that_tells_two_pictures_apart(name: str) -> None:
    reference, test = pair()
    values = {extra_metric(name, reference, picture) for picture in (reference, test)}
    assert len(values) == 2


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"--metric lpips: no such metric; choose among visual_"):
        check_names(["visual_information_fidelity", "lpips"])


def test_a_size_that_a_metric_refuses_is_an_error() -> None:
    with pytest.raises(DataError, match=r"visual_information_fidelity: .*at least 41x41"):
        extra_metric("visual_information_fidelity", *pair(40))


def test_no_number_is_an_error() -> None:
    black = torch.zeros(1, 3, 48, 48, dtype=torch.uint8)
    with pytest.raises(DataError, match="visual_information_fidelity is nan for this picture"):
        extra_metric("visual_information_fidelity", black, black)
