"""Convolutions that an unroll applies many times: weights cast once, their gradient computed once.

In a training step the convolutions of the cells run T times with the same weights, and those at
the encoder's end on few positions. A library then spends its time on the weights: it reorders them
in each iteration, and computes T weight gradients, each as large as the weights, to be summed.
Inside :func:`shared` such a convolution is a matrix product of its input's patches, and its weight
gradient one product over the patches of all iterations.

What this does to the graph: ``y_t = conv(x_t)`` becomes::

    weight, bias --> Share --> token (a number that nobody reads)
                                 |
                     x_t --> Convolve --> y_t        for each iteration t

``Convolve`` gives ``x_t`` its gradient, keeps the pair of ``x_t`` and the gradient of ``y_t``, and
sends the token a gradient of 1. Autograd runs ``Share`` after the last ``Convolve``; there the
pairs, as many as the ones add up to, become the gradients of weight and bias. These reach the
parameters the usual way, and once, so hooks, gradient accumulation and DDP see what they would
have seen. In bf16 the sum over positions and iterations is taken in float32 and rounded once;
autocast alone rounds the gradient of each iteration and sums them in bf16. There is no second
derivative.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class SharedConv2d(nn.Conv2d):
    """A convolution with zero padding that keeps the size (but for the stride).

    Outside of :func:`shared` it is a plain ``nn.Conv2d``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int, bias: bool
    ) -> None:
        assert kernel % 2 == 1, kernel
        super().__init__(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=bias
        )
        self.sharing = False
        self.weights: Weights | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H/stride, W/stride)."""
        if not (self.sharing and torch.is_grad_enabled() and self.pays(x)):
            return super().forward(x)
        if self.weights is None:
            self.weights = Weights(self, x.device.type)
        x = x.to(self.weights.matrix.dtype)
        y: Tensor = Convolve.apply(x, self.weights.token, self.weights)
        return y

    def pays(self, x: Tensor) -> bool:
        """Whether the weights outweigh the patches: then matrix products are faster on a CPU."""
        positions = (
            len(x)
            * output_side(x.shape[2], self.stride[0])
            * output_side(x.shape[3], self.stride[0])
        )
        return x.device.type == "cpu" and self.out_channels > positions


@contextmanager
def shared(network: nn.Module) -> Iterator[None]:
    """Share the weights of every :class:`SharedConv2d` among its uses in this forward pass."""
    convolutions = [layer for layer in network.modules() if isinstance(layer, SharedConv2d)]
    for layer in convolutions:
        layer.sharing = True
    try:
        yield
    finally:
        for layer in convolutions:
            layer.sharing, layer.weights = False, None


class Weights:
    """The weights of a convolution during one forward pass and its backward pass.

    Attributes:
        matrix: (C_out, K K C_in), in the precision of the products.
        bias: (C_out,) in that precision, or None.
        pairs: of each use, once its gradient is known: the input (B, C_in, H, W), and the
            gradient of the output, (B H/stride W/stride, C_out).
        token: what all uses depend on in the graph.
    """

    def __init__(self, conv: nn.Conv2d, device: str) -> None:
        low = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if low else conv.weight.dtype
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        self.matrix = conv.weight.detach().to(dtype).permute(0, 2, 3, 1).flatten(1)
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.token: Tensor = Share.apply(conv.weight, conv.bias, self)

    def patches(self, x: Tensor) -> Tensor:
        """What each position of the output sees: (B, C, H, W) -> (B H/stride W/stride, K K C)."""
        k, s, margin = self.kernel, self.stride, self.kernel // 2
        b, c, h, w = x.shape
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, margin, margin, margin, margin)).contiguous()
        image, row, column, _ = padded.stride()
        windows = padded.as_strided(
            (b, output_side(h, s), output_side(w, s), k, k * c),
            (image, s * row, s * column, row, 1),
        )
        return windows.reshape(-1, k * k * c)

    def scatter(self, patches: Tensor, shape: torch.Size) -> Tensor:
        """The transpose of :meth:`patches`: their sum as images of a shape (B, C, H, W)."""
        k, s, margin = self.kernel, self.stride, self.kernel // 2
        b, c, h, w = shape
        taps = patches.view(b, output_side(h, s), output_side(w, s), k, k, c)
        padded = patches.new_zeros(b, h + 2 * margin, w + 2 * margin, c)
        for i in range(k):
            for j in range(k):
                padded[:, i : i + h : s, j : j + w : s] += taps[..., i, j, :]
        return padded[:, margin : margin + h, margin : margin + w].permute(0, 3, 1, 2)


class Share(torch.autograd.Function):
    """``(weight, bias) -> token``, see the module's description."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, weights: Weights) -> Tensor:
        """A number."""
        ctx.weights = weights
        ctx.save_for_backward(weight)
        return weight.new_zeros((), dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, uses: Tensor) -> tuple[Tensor, Tensor | None, None]:
        """The gradients of weight and bias out of the pairs of all uses, which are let go."""
        (weight,), weights = ctx.saved_tensors, ctx.weights
        # A pass that asked for the gradient of x only has left pairs before those of this one.
        pairs = weights.pairs[-int(uses) :]
        inputs, gradients = map(torch.cat, zip(*pairs, strict=True))
        weights.pairs.clear()
        by_tap = (gradients.t() @ weights.patches(inputs)).view(*weight.permute(0, 2, 3, 1).shape)
        # Optimisers may rely on a gradient having its parameter's memory format.
        of_weight = torch.empty_like(weight).copy_(by_tap.permute(0, 3, 1, 2))
        of_bias = gradients.sum(0).to(weight.dtype) if ctx.needs_input_grad[1] else None
        return of_weight, of_bias, None


class Convolve(torch.autograd.Function):
    """``(x, token) -> y``, see the module's description."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, weights: Weights) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H/stride, W/stride), channels last."""
        ctx.weights = weights
        ctx.save_for_backward(x)
        y = F.linear(weights.patches(x), weights.matrix, weights.bias)
        b, _, h, w = x.shape
        s = weights.stride
        return y.view(b, output_side(h, s), output_side(w, s), -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        """The gradient of x; what the gradient of the weights will need is kept."""
        (x,), weights = ctx.saved_tensors, ctx.weights
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        weights.pairs.append((x, rows))
        of_x = weights.scatter(rows @ weights.matrix, x.shape) if ctx.needs_input_grad[0] else None
        return of_x, gradient.new_ones((), dtype=torch.float32), None


def output_side(side: int, stride: int) -> int:
    """The side of a convolution's output."""
    return -(-side // stride)
