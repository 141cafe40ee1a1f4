"""A codec that is none, to evaluate."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnncodec.errors import DataError
from rnncodec.evaluation.codecs import CodedImage


@dataclass
class Brighter:
    """A toy codec: off by 5, then 2 levels; counts its work; refuses narrow images."""

    name: str = "brighter"
    suffix: str | None = None
    strength: int = 1
    coded: list[int] = field(default_factory=list)

    def identity(self) -> dict[str, Any]:
        return {"strength": self.strength}

    def code(self, image: np.ndarray) -> Iterator[CodedImage]:
        if image.shape[1] < 20:
            raise DataError("too narrow for brighter")
        self.coded.append(image.shape[1])
        for error in (5, 2):
            yield CodedImage(f"e={error}", None, b"x" * error, image + np.uint8(error), 0.5, 0.25)
