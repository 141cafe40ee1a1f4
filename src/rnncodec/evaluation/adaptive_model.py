"""One of our models with an adaptive bit rate, as an evaluation sees it: a codec of its own."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncodec import bitstream
from rnncodec.coding.adaptive import Rule
from rnncodec.evaluation.codecs import Coded, EvaluatedModel
from rnncodec.images.reading import Pixels


class AdaptiveModel:
    """A model whose blocks end by a rule: coded once, and decoded step by step.

    Its iterations are settings like those of any other codec: k/8 bpp is not their nominal rate.
    Once all blocks of an image have ended, further iterations are the same file.

    Args:
        model: the model.
        rule: as :meth:`rnncodec.coding.adaptive.Rule.parse` reads it.

    Raises:
        ConfigError: no such rule.
    """

    suffix = ".rnc"

    def __init__(self, model: EvaluatedModel, rule: str) -> None:
        Rule.parse(rule)
        self.model = model
        self.rule = rule
        self.name = f"{model.name}+{rule}"

    def identity(self) -> dict[str, Any]:
        """That of the model, and the rule."""
        return {**self.model.identity(), "adaptive": self.rule}

    def code(self, image: Pixels) -> Iterator[Coded]:
        """Every iteration of one image.

        Raises:
            RNNCodecError: this image cannot be coded.
        """
        codec, iterations = self.model.codec, self.model.iterations
        start = time.perf_counter()
        data = codec.encode(image, iterations=iterations, adaptive=self.rule)
        encode_s = time.perf_counter() - start
        pictures = codec.decode_progressive(data, max_pixels=math.inf)
        sizes = bitstream.info(data).segment_bytes
        decode_s, end = 0.0, len(data) - sum(sizes)
        for iteration in range(1, iterations + 1):
            if iteration <= len(sizes):
                start = time.perf_counter()
                picture = np.asarray(next(pictures))
                decode_s += time.perf_counter() - start
                end += sizes[iteration - 1]
            whole = encode_s if end == len(data) else None
            yield Coded(f"t={iteration}", None, data[:end], picture, whole, decode_s)
