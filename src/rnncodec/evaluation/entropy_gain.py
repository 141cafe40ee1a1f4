"""What entropy coding saves: bytes of real files beside the raw bits they hold."""

from collections.abc import Iterator
from statistics import fmean
from typing import Any

from rnncodec.data.images import Pixels
from rnncodec.geometry import blocks
from rnncodec.network import BITS


class EntropyGain:
    """Passes reconstructions on, and notes what their files saved.

    The gain of a file of k iterations is ``1 - bytes / raw bytes``, its header counted, where raw
    is 32 bits for each iteration and 16x16 block.

    Args:
        reconstruct: image -> (bpp of the file cut here, reconstruction) after each iteration.

    Examples:
        >>> import numpy as np
        >>> image = np.zeros((16, 32, 3), np.uint8)
        >>> gain = EntropyGain(lambda image: iter([(0.1, image), (0.25, image)]))
        >>> _ = list(gain(image))
        >>> [round(value, 3) for value in gain.by_iteration()]
        [0.2, 0.0]
    """

    def __init__(self, reconstruct: Any) -> None:
        self.reconstruct = reconstruct
        self.gains: list[list[float]] = []

    def __call__(self, image: Pixels) -> Iterator[tuple[float, Pixels]]:
        """As ``reconstruct``."""
        height, width = image.shape[:2]
        raw = BITS * blocks(height) * blocks(width) / (height * width)
        gains: list[float] = []
        self.gains.append(gains)
        for iteration, (bpp, picture) in enumerate(self.reconstruct(image), start=1):
            gains.append(1 - bpp / (iteration * raw))
            yield bpp, picture

    def by_iteration(self) -> list[float]:
        """The mean over images, for files cut after iteration 1, 2, ..."""
        return [fmean(gains) for gains in zip(*self.gains, strict=True)]


def entropy_section(notes: dict[str, Any], gains: list[float]) -> dict[str, Any]:
    """The section ``entropy`` of summary.json.

    Args:
        notes: what the model file says: name, bits per bit of the held-out photographs by
            iteration (as floats, and in the integers that code), rate lost between the two.
        gains: of the evaluation images' files, see :class:`EntropyGain`.
    """
    rates = notes["bits_per_bit"]
    columns = zip(rates["float"], rates["integer"], gains, strict=True)
    return {
        "model": notes["name"],
        "bits_per_bit": fmean(rates["integer"]),
        "rate_lost_to_quantisation": notes["rate_lost_to_quantisation"],
        "gain_over_raw_bits": gains[-1],
        "by_iteration": [
            {"iteration": k, "bits_per_bit_float": a, "bits_per_bit": b, "gain_over_raw_bits": g}
            for k, (a, b, g) in enumerate(columns, start=1)
        ],
    }


def describe(section: dict[str, Any]) -> str:
    """The section in one sentence.

    Examples:
        >>> describe({"model": "progressive", "bits_per_bit": 0.87, "gain_over_raw_bits": 0.12,
        ...     "rate_lost_to_quantisation": 0.001})
        'entropy=progressive: 0.870 bits per bit, 0.10 % lost to integers; files 12.0 % smaller'
    """
    return (
        f"entropy={section['model']}: {section['bits_per_bit']:.3f} bits per bit, "
        f"{section['rate_lost_to_quantisation']:.2%} lost to integers; files "
        f"{section['gain_over_raw_bits']:.1%} smaller"
    ).replace("%", " %")
