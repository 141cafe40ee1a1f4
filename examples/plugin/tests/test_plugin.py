"""What rnncodec asks of each part."""

import numpy as np
import torch
from rnncodec_plugin import Charbonnier, MinGRU, Zlib, gradient_psnr

from rnncodec.codec import Codec
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.recon.additive import Additive


def test_the_cell_halves_the_sides_and_learns() -> None:
    cell = MinGRU(8, 16, stride=2)
    y, state = cell(torch.rand(2, 8, 8, 8))
    y, _ = cell(torch.rand(2, 8, 8, 8), state)
    assert y.shape == (2, 16, 4, 4)
    y.sum().backward()
    assert all(weight.grad is not None for weight in cell.parameters())


def test_a_network_of_it_codes_a_picture() -> None:
    codec = Codec(Model(Network(MinGRU, Additive, width=0.125, iterations=2)))
    image = np.zeros((32, 48, 3), np.uint8)
    assert codec.decode(codec.encode(image)).size == (48, 32)


def test_the_loss_is_nothing_where_nothing_is_lost() -> None:
    x = torch.rand(1, 3, 8, 8) - 0.5
    assert Charbonnier()(x, x).item() == 0
    assert Charbonnier()(x, -x).item() > 0


def test_the_metric_gives_a_number_for_each_picture() -> None:
    x = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert gradient_psnr(x, x.flip(-1)).shape == (2,)


def test_more_bits_are_closer() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    errors = [np.abs(c.picture.astype(int) - image).max() for c in Zlib().code(image)]
    assert errors == [64, 32, 16, 8]
