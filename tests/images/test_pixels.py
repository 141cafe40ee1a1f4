import math

import pytest
import torch

from rnncodec.errors import ModelError
from rnncodec.images.pixels import to_uint8


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_black_pixel(value: float) -> None:
    x_hat = torch.zeros(1, 3, 2, 2)
    x_hat[0, 1, 1, 0] = value
    with pytest.raises(ModelError, match=r"output is not finite .*use another model"):
        to_uint8(x_hat)
