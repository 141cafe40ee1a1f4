"""Muon takes the cells' matrices and moves all their directions by the same length."""

import pytest
import torch
from torch import nn

from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.training.muon import muon


def step(network: Network, lr: float, adam_lr: float) -> dict[str, torch.Tensor]:
    """The update of every parameter in a first step along random gradients."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.empty_like(parameter).copy_(noise)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    muon(network.named_parameters(), lr=lr, adam_lr=adam_lr).step()
    return {name: p.detach() - before[name] for name, p in network.named_parameters()}


def is_matrix(name: str, parameter: nn.Parameter) -> bool:
    return ".cells." in name and parameter.ndim == 4


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_all_singular_values_of_an_update_are_near_the_rate(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=2).to(memory_format=layout)
    updates = step(network, lr=0.1, adam_lr=0.0)
    for name, parameter in network.named_parameters():
        if not is_matrix(name, parameter):
            assert updates[name].abs().max() == 0, name
            continue
        values = torch.linalg.svdvals(updates[name].flatten(1).double())
        rows, columns = updates[name].flatten(1).shape
        tall = max(1, rows / columns) ** 0.5  # the library lengthens the updates of tall ones
        # five Newton-Schulz steps leave nearly all within about a third of 1
        assert values.quantile(0.1) > 0.05 * tall, (name, values)
        assert values.max() < 0.13 * tall, (name, values)


def test_the_update_is_the_polar_factor_of_the_gradient() -> None:
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=2)
    updates = step(network, lr=0.1, adam_lr=0.0)
    for name, parameter in network.named_parameters():
        if is_matrix(name, parameter):
            assert parameter.grad is not None
            u, _, vh = torch.linalg.svd(parameter.grad.flatten(1).double(), full_matrices=False)
            cosine = torch.cosine_similarity(
                -(u @ vh).flatten(), updates[name].flatten().double(), dim=0
            )
            assert cosine > 0.9, (name, cosine)


def test_everything_else_is_adams() -> None:
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=2)
    updates = step(network, lr=0.0, adam_lr=1e-3)
    for name, parameter in network.named_parameters():
        if is_matrix(name, parameter):
            assert updates[name].abs().max() == 0, name
        else:
            assert parameter.grad is not None
            moved = parameter.grad.abs() > 1e-6
            expected = -1e-3 * parameter.grad.sign()[moved]
            torch.testing.assert_close(updates[name][moved], expected, rtol=0.05, atol=1e-6)
