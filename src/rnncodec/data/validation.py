"""Validation images: held out by a hash of their name, cropped at the centre, kept in memory."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from rnncodec.data.photos import Photos, hash_fraction
from rnncodec.data.unusable import Unusable
from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels


class ValidationImages(Dataset[dict[str, Any]]):
    """Named images as `{"image": uint8 (1, 3, H, W), "name": str}`."""

    def __init__(self, images: list[tuple[str, Pixels]]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name, image = self.images[index]
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
        return {"image": torch.from_numpy(planes), "name": name}


def load_validation(
    held: Photos, unusable: Unusable, *, most: int, size: int
) -> list[tuple[str, Pixels]]:
    """Decode up to `most` held-out photographs, centre-cropped to at most `size`, sorted by name.

    They are taken in the order of `hash_fraction`: the first by name would all come from the
    first sub-folder. Photographs that fail to decode go to `unusable`.

    Raises:
        DataError: `unusable` has more than it tolerates.
    """
    order = sorted(range(len(held)), key=lambda index: hash_fraction(held.names[index]))
    loaded: list[tuple[str, Pixels]] = []
    for index in order:
        if len(loaded) == most:
            break
        try:
            image = _centre(held.load(index), size)
        except DataError as error:
            unusable.add(held.names[index], str(error))
            unusable.check()
        else:
            loaded.append((held.names[index], image))
    return sorted(loaded, key=lambda item: item[0])


def _centre(image: Pixels, limit: int) -> Pixels:
    height, width = (min(side, limit) // 16 * 16 for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])
