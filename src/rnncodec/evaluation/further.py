"""Further metrics, by the names they have in ``torchmetrics.functional.image``.

Only those that compare two pictures and need neither downloads nor further packages. They get
float32 pixels in [0, 255], on which their own float32 is ten to twenty times faster than float64.
"""

import importlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rnncodec.errors import ConfigError, DataError

NAMES = (
    "error_relative_global_dimensionless_synthesis",
    "relative_average_spectral_error",
    "root_mean_squared_error_using_sliding_window",
    "spatial_correlation_coefficient",
    "spectral_angle_mapper",
    "visual_information_fidelity",
)


def check_names(names: Sequence[str]) -> None:
    """Refuse what is no further metric.

    Raises:
        ConfigError: an unknown name; lists the valid ones.
    """
    for name in names:
        if name not in NAMES:
            raise ConfigError(
                f"--metric {name}: no such metric; choose among {', '.join(NAMES)} (the usual "
                "ones are always measured)"
            )


def further_metric(name: str, reference: Tensor, test: Tensor) -> float:
    """One of ``NAMES`` of one pair of pictures.

    Args:
        name: which.
        reference: uint8 (1, 3, H, W).
        test: the same.

    Raises:
        DataError: the metric has no finite value for these pictures, or refuses their size.
    """
    check_names([name])
    module = importlib.import_module("torchmetrics.functional.image")
    function: Callable[..., Tensor] = getattr(module, name)
    try:
        value = function(test.to(torch.float32), reference.to(torch.float32)).item()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{name}: {error}") from error
    if not math.isfinite(value):
        raise DataError(f"{name} is {value} for this picture; it is left out")
    return value
