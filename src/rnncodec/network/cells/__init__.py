"""The recurrent cells of section 3.1: one contract, one file per cell."""

from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from rnncodec.network.shared_convolution import SharedConv2d

State: TypeAlias = tuple[Tensor, ...]
"""What a cell remembers between iterations; only the cell itself looks inside."""


class Cell(nn.Module):
    """A convolutional recurrent cell: ``cell(x, state) -> (y, state)``.

    Input convolutions ``W`` are 3x3 with the cell's stride, hidden convolutions ``U`` have
    ``hidden_kernel`` and stride 1. ``state=None`` is the zero state: it is never allocated, and
    the convolutions that would read it are not run.

    Args:
        in_channels: channels of ``x``.
        out_channels: channels of ``y``.
        stride: 1 or 2; ``y`` is that much smaller than ``x``.
        hidden_kernel: 1 or 3, the paper's table of layers names it for each cell.
    """

    encoder_cell: ClassVar["type[Cell] | None"] = None
    """The cell that takes this one's place in the encoder; None: itself."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, hidden_kernel: int = 1
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.stride = stride
        self.hidden_kernel = hidden_kernel

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W) and the state -> (B, out, H/stride, W/stride) and the new state."""
        raise NotImplementedError

    def input_conv(self, channels: int) -> nn.Conv2d:
        """A ``W`` of the equations, with the bias that ``W x + U h + b`` has once."""
        return conv2d(self.in_channels, channels, 3, stride=self.stride)

    def hidden_conv(self, channels: int) -> nn.Conv2d:
        """A ``U`` of the equations."""
        return conv2d(self.out_channels, channels, self.hidden_kernel, bias=False)


def conv2d(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, bias: bool = True
) -> nn.Conv2d:
    """A convolution with zero padding that keeps the size (but for the stride).

    Weights start normal with variance 1 / fan-in, biases at zero. PyTorch's own start has a
    third of that variance; through seven gated layers it leaves so little signal that training
    loses its first hundreds of steps (docs/experiments/0001), an associative LSTM all of them.
    """
    conv = SharedConv2d(in_channels, out_channels, kernel, stride=stride, bias=bias)
    # On the meta device there are no numbers, and asking for some loads torch._dynamo.
    if not conv.weight.is_meta:
        nn.init.normal_(conv.weight, std=(in_channels * kernel * kernel) ** -0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def kept(x: Tensor) -> Tensor:
    """A state as it is kept: never in bf16 or float16, where it would gather an error each time.

    So under autocast the convolutions are in bf16, and what adds up over the iterations is not.
    """
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
