"""Parts of a user's own, right and wrong, as ``_target_: tests.plugins.parts.NAME``."""

from collections.abc import Iterator
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.evaluation.metrics import Metric
from rnncodec.network.autoencoder import Binarizer
from rnncodec.network.cells import Cell, State
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive


class Plain(Cell):
    """No gates."""

    def __init__(self, *channels: int, stride: int = 1, hidden_kernel: int = 1) -> None:
        super().__init__(*channels, stride=stride, hidden_kernel=hidden_kernel)
        self.W = self.input_conv(self.out_channels)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        h = self.W(x) if state is None else self.W(x) + state[0]
        return h, (h,)


class Buffered(Plain):
    """With tensors that are in no model file."""

    def __init__(self, *channels: int, stride: int = 1, hidden_kernel: int = 1) -> None:
        super().__init__(*channels, stride=stride, hidden_kernel=hidden_kernel)
        self.register_buffer("shift", torch.full((1,), 0.5), persistent=False)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        y, state = super().forward(x, state)
        return y + self.shift, state


class LargeOutput(Plain):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        y, state = super().forward(x, state)
        return y.repeat_interleave(2, dim=-1), state


class DoubleOutput(Plain):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        y, state = super().forward(x, state)
        return y.double(), state


class NoState(Plain):
    def forward(self, x: Tensor, state: State | None = None) -> Any:
        return super().forward(x, None)[0]


class ListState(Plain):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        y, state = super().forward(x, state)
        return y, list(state)


class Unfinished(Cell):
    """Without the method that computes."""


class Random(Plain):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, Any]:
        y, state = super().forward(x, state)
        return y + torch.rand_like(y), state


class NoCell(nn.Module):
    pass


class Gru(GRU):
    name = "gru"


class HalfPicture(Additive):
    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        return super().combine(x_hat, decoded, gain)[..., ::2]


class Halving(Additive):
    """A right one."""


class Steep(Binarizer):
    """A right one, with a setting."""

    def __init__(self, in_channels: int, slope: float = 2.0) -> None:
        super().__init__(in_channels)
        self.slope = slope

    def expectation(self, x: Tensor) -> Tensor:
        return torch.tanh(self.slope * self.conv(x)).float()


class Halves(Binarizer):
    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        return super().forward(x, noise) / 2


class L1(nn.Module):
    """A right one, with the name of one of ours."""

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return (x - x_hat).abs().mean()


class Map(L1):
    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return (x - x_hat).abs()


class Constant(L1):
    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return torch.ones(())


class Broken(L1):
    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        raise KeyError("weights")


def lightness(reference: Tensor, test: Tensor) -> Tensor:
    """A right metric."""
    return test.double().mean(dim=(1, 2, 3))


def one_for_all(reference: Tensor, test: Tensor) -> Tensor:
    return test.double().mean()


def raises(reference: Tensor, test: Tensor) -> Tensor:
    raise ZeroDivisionError("no edges")


whole_mean = Metric("Lightness", lightness, digits=1)


class Twin(BinaryRNN):
    """A right entropy model."""


class Otherwise(BinaryRNN):
    """Wired as coding does not know it."""

    def forward(self, codes: Tensor, *, exact: bool = False) -> Tensor:
        return super().forward(codes, exact=exact) + 3


class Counts(Callback):
    """A right callback."""

    batches = 0

    def on_train_batch_end(self, *_: Any) -> None:
        type(self).batches += 1


class Noise(L.LightningDataModule):
    """A right data module, as small as can be."""

    dtype = torch.uint8
    side = 32

    def setup(self, stage: str) -> None:
        self.pictures = torch.randint(0, 256, (4, 3, self.side, self.side)).to(self.dtype)

    def train_dataloader(self) -> Iterator[dict[str, Tensor]]:
        while True:
            yield {"image": self.pictures, "index": torch.arange(4)}

    def val_dataloader(self) -> Any:
        return DataLoader([{"image": self.pictures[:1]}], batch_size=None)


class FloatNoise(Noise):
    dtype = torch.float32


class OddNoise(Noise):
    side = 20


class NoIndex(Noise):
    def train_dataloader(self) -> Iterator[dict[str, Tensor]]:
        return ({"image": batch["image"]} for batch in super().train_dataloader())


class NothingHeldOut(Noise):
    def val_dataloader(self) -> Any:
        return DataLoader([], batch_size=None)


class ListOfBatches(Noise):
    def val_dataloader(self) -> Any:
        return [{"image": self.pictures[:1]}]


class NoLoaders(L.LightningDataModule):
    """Without what gives batches."""


class Fails(Noise):
    def setup(self, stage: str) -> None:
        raise FileNotFoundError("photographs.tar")


class NoDataModule:
    pass
