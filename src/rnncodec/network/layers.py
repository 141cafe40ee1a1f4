"""The convolution that everything is built from, and how its weights start."""

from torch import nn

from rnncodec.network.shared_convolution import SharedConv2d


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
