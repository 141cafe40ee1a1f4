"""Codes of the frozen codec for its entropy model (section 5): computed once, as packed bits.

They come from the same float32 transform that codes files, never from autocast.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rnncodec.coding.transform import Transform, to_bits
from rnncodec.data.contract import EntropyTrainingData
from rnncodec.data.resumable import InfiniteDataModule
from rnncodec.errors import ConfigError
from rnncodec.machine.devices import float32_convolutions
from rnncodec.machine.progress import track
from rnncodec.machine.storage import replacing
from rnncodec.rng_streams import Stream, permutation

Packed = NDArray[np.uint8]
"""Codes (..., T, h, w, 32) of 0 and 1 with their 32 bits in 4 bytes: (..., T, h, w, 4)."""

KEY = "made_from"
TRAIN, VALIDATION = "train", "validation."
TOGETHER = 4
"""Crops that go through the codec at once: more need memory and gain nothing on a CPU."""

_log = logging.getLogger(__name__)


class CodeData(InfiniteDataModule):
    """Batches of codes, endless for training and image by image for validation.

    Training: ``{"codes": uint8 (B, T, h, w, 32), "index": int64 (B,)}``; sample ``index`` is a
    function of (seed, index) alone, each crop once per pass, and a resumed run continues where it
    was. Validation: the same with the held-out photographs, those of one size together. Each
    device has its share, none twice.

    Args:
        data: where photographs come from; set up here.
        transform: the frozen codec.
        cache: file that stores the codes; reused if it was made from the same codec,
            photographs and settings.
        crops: how many crops of the training photographs.
        crop: their side in pixels, a multiple of 16; far larger than the codec's own, since a
            position is predicted from its neighbours.
        batch_size: crops per step, of all devices together.
        seed: of the crops' places and the order of training.
        progress: show a progress bar on stderr.

    Raises:
        ConfigError: crops < 1; batch_size < 1; a crop that is no multiple of 16.
    """

    group = "entropy_fit.data"

    def __init__(
        self,
        data: EntropyTrainingData,
        transform: Transform,
        cache: Path,
        *,
        crops: int = 128,
        crop: int = 256,
        batch_size: int = 4,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        super().__init__()
        if crop < 16 or crop % 16:
            raise ConfigError(
                f"entropy_fit.data.crop={crop}: expected a multiple of 16, at least 16"
            )
        if min(crops, batch_size) < 1:
            raise ConfigError(
                f"entropy_fit.data: crops={crops} and batch_size={batch_size}: expected at least 1"
            )
        self.photographs = data
        self.transform = transform
        self.cache = cache
        self.crops = crops
        self.crop = crop
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress
        self.train: Packed | None = None
        self.validation: list[Packed] = []

    def setup(self, stage: str | None = None) -> None:
        """Read the codes, or compute and store them.

        Raises:
            ConfigError: no training photograph is as large as ``crop``.
            DataError: as the photographs' own ``setup``.
            StorageError: the cache could not be written.
        """
        if self.train is not None:
            return
        self.photographs.setup("fit")
        made_from = self.origin()
        codes = read_codes(self.cache, made_from)
        if codes is None:
            codes = dict(self.compute())
            write_codes(self.cache, codes, made_from)
        self.train = codes.pop(TRAIN)
        self.validation = [codes[name] for name in sorted(codes)]

    def origin(self) -> str:
        """A hash of all that the codes depend on."""
        network = self.transform.network
        weights = hashlib.sha256()  # of the encoder, too, which a file's fingerprint leaves out
        for name, value in sorted(network.state_dict().items()):
            weights.update(f"{name}:{tuple(value.shape)};".encode())
            weights.update(value.detach().cpu().contiguous().numpy().tobytes())
        settings = {
            "codec": [network.config, weights.hexdigest()],
            "crops": [self.crops, self.crop, self.seed],
            "train": self.photographs.train_names,
            "validation": [self.photographs.val_names, self.photographs.val_size],
        }
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def compute(self) -> Iterator[tuple[str, Packed]]:
        """Run the codec over the crops and the validation images: (name, codes)."""
        together = min(TOGETHER, self.crops)
        loader = self.photographs.crops_of(self.crop, batch_size=together, seed=self.seed)
        count = -(-self.crops // together)
        batches = track(
            islice(loader, count),
            "codes for the entropy model",
            total=count,
            hidden=not self.progress,
        )
        parts = [self.analyse(batch["image"]) for batch in batches]
        yield TRAIN, np.concatenate(parts)[: self.crops]
        for number, batch in enumerate(self.photographs.val_dataloader()):
            yield f"{VALIDATION}{number:05d}", self.analyse(batch["image"])[0]

    @float32_convolutions()
    def analyse(self, images: Tensor) -> Packed:
        """Uint8 (B, 3, H, W) -> packed codes (B, T, h, w, 4)."""
        steps = self.transform.steps(images, self.transform.network.iterations)
        return np.stack([np.packbits(to_bits(step.code), axis=-1) for step in steps], axis=1)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """This device's share of every batch."""
        assert self.train is not None, "setup() comes first"
        dataset = CodeCrops(self.train, self.seed)
        return DataLoader(dataset, batch_sampler=self.batches(), generator=torch.Generator())

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """This device's share of the held-out codes, those of one size together.

        With fewer of them than devices an idle device would block all: a ConfigError.
        """
        rank, ranks = self.rank()
        if len(self.validation) < ranks:
            raise ConfigError(
                f"{len(self.validation)} validation images are too few for {ranks} devices; "
                "raise data.val_images, hold out more images, or use fewer devices"
            )
        batches = list(by_size(self.validation[rank::ranks], self.batch_size))
        return DataLoader(batches, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]


class CodeCrops(Dataset[dict[str, Any]]):
    """Sample ``index`` -> its crop's codes; every pass over the crops has an order of its own."""

    def __init__(self, packed: Packed, seed: int) -> None:
        self.packed = packed
        self.seed = seed
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __getitem__(self, index: int) -> dict[str, Any]:
        passes, place = divmod(index, len(self.packed))
        if self._order[0] != passes:
            order = permutation(self.seed, Stream.CODES, passes, len(self.packed))
            self._order = passes, order
        return {"codes": unpacked(self.packed[self._order[1][place]]), "index": index}


def unpacked(packed: Packed) -> Tensor:
    """Packed codes (..., 4) -> uint8 (..., 32) of 0 and 1."""
    return torch.from_numpy(np.unpackbits(packed, axis=-1))


def by_size(codes: list[Packed], most: int) -> Iterator[dict[str, Tensor]]:
    """Batches of at most ``most`` images of one size, images in order of their size."""
    for shape in sorted({array.shape for array in codes}):
        same = [unpacked(array) for array in codes if array.shape == shape]
        for start in range(0, len(same), most):
            yield {"codes": torch.stack(same[start : start + most])}


def read_codes(path: Path, made_from: str) -> dict[str, Packed] | None:
    """The codes of a cache file; None if there is none, it is damaged, or of another origin."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get(KEY) != made_from:
                _log.info("%s was made from another codec or other crops: made anew", path)
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        _log.warning("%s is damaged (%s): made anew", path, error)
        return None


def write_codes(path: Path, codes: dict[str, Packed], made_from: str) -> None:
    """Write a cache file as a whole or not at all."""
    # save_file writes an array's memory as it is, whatever its strides say
    codes = {name: np.ascontiguousarray(packed) for name, packed in codes.items()}
    with replacing(path) as temporary:
        save_file(codes, temporary, metadata={KEY: made_from})
