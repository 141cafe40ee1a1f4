"""What entropy coding saves: bytes of real files beside the raw bits they hold."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rnncodec.evaluation.results import Result
from rnncodec.geometry import BITS, blocks


def gains(results: Sequence[Result], sizes: Mapping[str, tuple[int, int]]) -> list[float]:
    """What entropy coding saves: the mean over images, for files cut after iteration 1, 2, ...

    The gain of a file of k iterations is ``1 - bytes / raw bytes``, its header counted, where raw
    is 32 bits for each iteration and 16x16 block.

    Args:
        results: of one of our models; rows without a file are passed over.
        sizes: width and height of each image, by name.

    Examples:
        >>> rows = [
        ...     Result("a", f"t={k}", "b", k, size, *[None] * 8) for k, size in ((1, 6), (2, 16))
        ... ]
        >>> gains(rows, {"b": (32, 16)})
        [0.25, 0.0]
    """
    found: dict[int, list[float]] = defaultdict(list)
    for result in results:
        if result.iteration is not None and result.bytes is not None:
            width, height = sizes[result.image]
            raw = BITS * blocks(height) * blocks(width) / 8
            found[result.iteration].append(1 - result.bytes / (result.iteration * raw))
    return [fmean(found[iteration]) for iteration in sorted(found)]


def entropy_section(notes: dict[str, Any], by_iteration: Sequence[float]) -> dict[str, Any]:
    """The section ``entropy`` of summary.json.

    Args:
        notes: what the model file says: name, bits per bit of the held-out photographs by
            iteration (as floats, and in the integers that code), rate lost between the two.
        by_iteration: the gains of the evaluation images' files, see :func:`gains`.
    """
    rates = notes["bits_per_bit"]
    columns = zip(rates["float"], rates["integer"], by_iteration, strict=True)
    return {
        "model": notes["name"],
        "bits_per_bit": fmean(rates["integer"]),
        "rate_lost_to_quantisation": notes["rate_lost_to_quantisation"],
        "gain_over_raw_bits": by_iteration[-1],
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
