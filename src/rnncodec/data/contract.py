"""What a training asks of a data module, ours or one of your own, and the check of it."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from lightning import LightningDataModule
from torch import Tensor

from rnncodec.errors import ConfigError
from rnncodec.geometry import BLOCK
from rnncodec.plugins import is_outside, path_of, refusing


class TrainingData(Protocol):
    """What the training of a codec needs: a subclass of ``lightning.LightningDataModule``.

    Its methods are called several times, and first without a trainer. It may have a method
    ``exclude(paths)``, called before ``setup``, to leave out photographs that the evaluation uses.
    """

    def setup(self, stage: str) -> None:
        """Find the photographs; ``stage`` is ``"fit"`` or ``"validate"``."""

    def train_dataloader(self) -> Iterable[dict[str, Any]]:
        """Batches ``{"image": uint8 (B, 3, H, W), "index": int64 (B,)}``, better without end.

        H and W are multiples of 16. The index numbers the samples of the whole training, since
        the binarizer's noise follows from it. A run that is to resume exactly where it stopped
        has to begin at the sample that ``self.trainer.global_step`` means.
        """

    def val_dataloader(self) -> Iterable[dict[str, Any]]:
        """Held-out pictures ``{"image": uint8 (1, 3, H, W)}``, at least one for each device.

        H and W are multiples of 16. MS-SSIM, by which weights are chosen, needs sides of at least
        176 pixels; below, PSNR takes its place.
        """


class EntropyTrainingData(TrainingData, Protocol):
    """What the training of an entropy model needs beside: large crops, and what they are of."""

    val_size: int
    """The longest side of held-out pictures."""

    @property
    def train_names(self) -> Sequence[str]:
        """Names of the photographs that crops come from."""

    @property
    def val_names(self) -> Sequence[str]:
        """Names of the held-out pictures."""

    def crops_of(self, crop: int, *, batch_size: int, seed: int) -> Iterable[dict[str, Any]]:
        """Batches ``{"image": uint8 (B, 3, crop, crop)}`` of the training photographs, endless."""


ENTROPY = ("val_size", "train_names", "val_names", "crops_of")


def check_data(data: Any, *, entropy: bool, crop: int) -> None:
    """Refuse a data module from outside that does not fulfil the contract.

    Args:
        data: the module; it is set up, and gives one batch of each kind.
        entropy: whether an entropy model is trained, too.
        crop: the side of that model's crops.

    Raises:
        ConfigError: says what was expected, and what it gave.
        RNNCodecError: its own.
    """
    if not is_outside(data):
        return
    name = f"data={path_of(data)}"
    if not isinstance(data, LightningDataModule):
        raise ConfigError(f"{name}: expected a subclass of lightning.LightningDataModule")
    with refusing(f"{name}: setup('fit')"):
        data.setup("fit")
    if entropy and (lacking := [part for part in ENTROPY if not hasattr(data, part)]):
        raise ConfigError(
            f"{name}: has no {', '.join(lacking)}, which entropy= needs (see "
            f"{__name__}.EntropyTrainingData); add them, or train with entropy=none"
        )
    for loader in ("train_dataloader", "val_dataloader"):
        check_batch(first_of(data, name, loader), f"{name}: {loader}()", loader)
    if entropy:
        batch = first_of(data, name, "crops_of", crop, batch_size=1, seed=0)
        check_batch(batch, f"{name}: crops_of({crop})", "crops_of")


def first_of(data: Any, name: str, loader: str, *arguments: Any, **named: Any) -> Any:
    """The first batch of a loader; a ConfigError if there is none, or several loaders."""
    with refusing(f"{name}: {loader}()"):
        batches = getattr(data, loader)(*arguments, **named)
        if isinstance(batches, list | tuple | dict):
            raise ConfigError(
                f"{name}: {loader}() gave a {type(batches).__name__}, which Lightning takes for "
                "several loaders; give one, as torch.utils.data.DataLoader(items, batch_size=None)"
            )
        for batch in batches:
            return batch
    raise ConfigError(f"{name}: {loader}() gave no batch; check where its photographs are")


def check_batch(batch: Any, name: str, loader: str) -> None:
    """Refuse a batch without what is asked for, or of another kind."""
    if not isinstance(batch, dict) or "image" not in batch:
        raise ConfigError(f"{name} gave {kind_of(batch)}, expected a dictionary with 'image'")
    image, one = batch["image"], loader == "val_dataloader"
    right = isinstance(image, Tensor) and image.dtype == torch.uint8 and image.ndim == 4
    right = right and image.shape[1] == 3 and not any(side % BLOCK for side in image.shape[2:])
    if not right or (one and len(image) != 1):
        raise ConfigError(
            f"{name} gave an image of {kind_of(image)}, expected uint8 ({'1' if one else 'B'}, 3, "
            f"H, W) with H and W multiples of {BLOCK}"
        )
    if loader != "train_dataloader":
        return
    index = batch.get("index")
    if (
        not isinstance(index, Tensor)
        or index.dtype != torch.int64
        or index.shape != image.shape[:1]
    ):
        raise ConfigError(
            f"{name} gave an index of {kind_of(index)}, expected int64 ({len(image)},): the "
            "number of each sample over the whole training"
        )


def kind_of(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
