"""The quality of the pictures that codecs make of one image, each measured once."""

import hashlib
import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.metrics import METRICS, defined, measure
from rnncodec.images.reading import Pixels

NAMES = ("visual_information_fidelity",)
"""What `--metric` offers."""


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


@dataclass(frozen=True)
class Score:
    """What was measured of one picture.

    Attributes:
        values: every usual metric by name, None where it is not defined.
        more: further metrics by name, None where they have no value.
        reason: why something is None; "" where nothing is.
    """

    values: dict[str, float | None]
    more: dict[str, float | None] = field(default_factory=dict)
    reason: str = ""


class Scorer:
    """Measures pictures against one image.

    Codecs that differ only in how they write a picture down (the Huffman tables of JPEG) give
    the same picture again: its score is looked up.

    Args:
        image: the original, uint8 (H, W, 3).
        further: names of further metrics, see :mod:`rnncodec.evaluation.scorer`.
    """

    def __init__(self, image: Pixels, further: Sequence[str] = ()) -> None:
        self.image = image
        self.further = further
        self.seen: dict[bytes, Score] = {}

    def __call__(self, picture: Pixels) -> Score:
        """The score of a picture.

        Raises:
            DataError: it is not uint8 (H, W, 3) of the image's size.
        """
        key = hashlib.blake2b(np.ascontiguousarray(picture).tobytes()).digest()
        if key not in self.seen:
            self.seen[key] = self._measured(picture)
        return self.seen[key]

    def _measured(self, picture: Pixels) -> Score:
        reference, test = as_tensor(self.image), as_tensor(picture)
        values = measure(reference, test)
        reasons = missing(*self.image.shape[:2])
        more: dict[str, float | None] = {}
        for name in self.further:
            try:
                more[name] = further_metric(name, reference, test)
            except DataError as error:
                more[name] = None
                reasons.append(str(error))
        return Score(values, more, "; ".join(reasons))


def missing(height: int, width: int) -> list[str]:
    """Why an image of this size lacks some of the usual metrics, one sentence each.

    Examples:
        >>> missing(175, 768)
        ['ms_ssim needs sides of at least 176 pixels, got 768x175']
    """
    return [
        f"{metric} needs sides of at least {METRICS[metric].min_side} pixels, got {width}x{height}"
        for metric in METRICS
        if not defined(metric, height, width)
    ]


def as_tensor(image: Pixels) -> torch.Tensor:
    """(H, W, 3) -> (1, 3, H, W), contiguous."""
    return torch.from_numpy(np.array(image)).movedim(-1, 0)[None].contiguous()
