"""Sharing changes how gradients are computed, not what they are."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.scaled_additive import ScaledAdditive
from rnncodec.network.shared_convolution import SharedConv2d, shared
from rnncodec.network.unroll import unroll

SHAPES = pytest.mark.parametrize(
    ("kernel", "stride", "size"),
    [(3, 1, (2, 3)), (3, 2, (4, 2)), (3, 2, (3, 5)), (1, 1, (2, 3)), (1, 2, (3, 4))],
)


def convolution(kernel: int = 3, stride: int = 1, *, channels: int = 40) -> SharedConv2d:
    torch.manual_seed(0)
    conv = SharedConv2d(2, channels, kernel, stride=stride, bias=True)
    return conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@SHAPES
def test_a_shared_use_is_a_convolution(kernel: int, stride: int, size: tuple[int, int]) -> None:
    conv, x = convolution(kernel, stride), torch.randn(2, 2, *size)
    with shared(conv):
        y = conv(x)
        assert conv.weights is not None, "the shape was meant to be one that shares"
    torch.testing.assert_close(y, conv(x))
    assert y.is_contiguous(memory_format=torch.channels_last)


@SHAPES
def test_gradcheck(kernel: int, stride: int, size: tuple[int, int]) -> None:
    conv = convolution(kernel, stride, channels=13).double()

    def two_uses(a: Tensor, b: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with shared(conv):
            parameters = {"weight": weight, "bias": bias}
            first = functional_call(conv, parameters, (a,))
            return first * functional_call(conv, parameters, (b,)).sin()

    inputs = [torch.randn(1, 2, *size, dtype=torch.float64) for _ in range(2)]
    inputs += [conv.weight.detach().clone(), torch.randn(13, dtype=torch.float64)]
    assert torch.autograd.gradcheck(two_uses, [tensor.requires_grad_() for tensor in inputs])


def gradients(network: Network, *, share: bool, **options: Any) -> dict[str, Tensor]:
    """Of a training step's loss, by name."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, 3, 64, 32, generator=generator) - 0.5
    noise = torch.rand(2, 3, 32, 4, 2, generator=generator)
    dtype = next(network.parameters()).dtype
    network.zero_grad()

    def loss() -> Tensor:
        steps = unroll(network, x.to(dtype), iterations=3, noise=noise)
        # Squared: the gradient of |x - x_hat| turns with the order of a sum where both are equal.
        return torch.stack([(x - step.x_hat).square().mean() for step in steps]).mean()

    with torch.autocast("cpu", torch.bfloat16, **options):
        if share:
            with shared(network):
                value = loss()
                used = [m for m in network.modules() if isinstance(m, SharedConv2d) and m.weights]
                assert len(used) > 5
        else:
            value = loss()
    value.backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("cell", [LSTM, GRUResNet])
def test_the_step_of_a_network_has_the_same_gradients(cell: type[LSTM | GRUResNet]) -> None:
    torch.manual_seed(0)
    network = Network(cell, ScaledAdditive, width=0.25, iterations=3)
    plain = gradients(network, share=False, enabled=False)
    ours = gradients(network, share=True, enabled=False)
    assert plain.keys() == ours.keys() == dict(network.named_parameters()).keys()
    for name, gradient in plain.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(ours[name], gradient, rtol=0, atol=1e-4 * scale, msg=name)


def test_in_bf16_one_rounding_is_closer_to_the_truth_than_many() -> None:
    conv = convolution()
    images = torch.randint(0, 16, (32, 1, 2, 3, 3)) / 16  # exact in bf16
    error: dict[bool, float] = {}
    truth = F.unfold(images.double().squeeze(1), 3, padding=1).sum((0, 2)).view(1, 2, 3, 3)
    for share in (False, True):
        conv.zero_grad()
        with torch.autocast("cpu", torch.bfloat16), shared(conv) if share else nullcontext():
            ys = [conv(x).sum() for x in images]
        torch.autograd.backward(ys)
        assert conv.weight.grad is not None
        error[share] = float(((conv.weight.grad - truth) / truth).abs().max())
    assert error[True] <= 2**-8 < error[False]


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_a_gradient_has_the_memory_format_of_its_parameter(
    memory_format: torch.memory_format,
) -> None:
    conv = convolution().to(memory_format=memory_format)  # type: ignore[call-overload]
    with shared(conv):
        conv(torch.randn(1, 2, 3, 3)).sum().backward()
    assert conv.weight.grad.stride() == conv.weight.stride()


def test_gradients_add_up_over_backward_passes_and_over_steps() -> None:
    conv, images = convolution(), torch.randn(3, 1, 2, 3, 3)
    arrivals: list[Tensor] = []
    conv.weight.register_hook(arrivals.append)
    with shared(conv):
        ys = [conv(x).square().sum() for x in images[:2]]
    ys[0].backward(retain_graph=True)
    ys[1].backward()
    with shared(conv):
        conv(images[2]).square().sum().backward()
    assert len(arrivals) == 3
    ours = conv.weight.grad.clone()
    conv.zero_grad()
    conv(images[:, 0]).square().sum().backward()
    torch.testing.assert_close(ours, conv.weight.grad)


def test_a_pass_for_the_input_alone_does_not_count_twice() -> None:
    conv, x = convolution(), torch.randn(1, 2, 3, 3, requires_grad=True)
    with shared(conv):
        first, second = conv(x).sum(), conv(2 * x).sum()
    torch.autograd.grad(first + second, x, retain_graph=True)
    second.backward()
    ours = conv.weight.grad.clone()
    conv.zero_grad()
    conv(2 * x).sum().backward()
    torch.testing.assert_close(ours, conv.weight.grad)


def test_nothing_is_shared_outside_or_without_gradients() -> None:
    conv, x = convolution(), torch.randn(1, 2, 3, 3)
    with shared(conv), torch.no_grad():
        conv(x)
        assert conv.weights is None
    conv(x)
    assert conv.weights is None


def test_nothing_is_left_after_an_error() -> None:
    conv = convolution()
    with pytest.raises(RuntimeError, match="cannot be multiplied"), shared(conv):
        conv(conv(torch.randn(1, 2, 3, 3)))
    assert not conv.sharing
    assert conv.weights is None


class TwoUses(nn.Module):
    """A loss through two uses of one convolution."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Images -> scalar."""
        loss: Tensor = self.conv(x).square().sum() + self.conv(-3 * x).square().sum()
        return loss


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A process group of this process."""
    meeting = f"file://{tmp_path / 'meeting'}"
    torch.distributed.init_process_group("gloo", meeting, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_every_gradient_reaches_the_hooks_of_ddp_once_per_step() -> None:
    conv, reference = convolution().double(), convolution().double()
    model = DistributedDataParallel(TwoUses(conv))
    for x in torch.randn(
        3, 1, 2, 3, 3, dtype=torch.float64
    ):  # a step raises if one was missing in the step before
        with shared(conv):
            model(x).backward()
        TwoUses(reference)(x).backward()
    torch.testing.assert_close(conv.weight.grad, reference.weight.grad)
    torch.testing.assert_close(conv.bias.grad, reference.bias.grad)
