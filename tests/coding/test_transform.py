"""The network's side of coding: what it keeps, and for how long."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rnncodec.codec import Codec
from rnncodec.coding.transform import TilePainter, Transform
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.scaled_additive import ScaledAdditive


def test_a_tile_is_forgotten_at_once_without_waiting_for_the_garbage_collector() -> None:
    transform = Transform(
        Network(GRU, ScaledAdditive, width=0.125, iterations=3), torch.device("cpu")
    )
    codes = np.zeros((2, 1, 2, 2, 32), np.uint8)
    gc.disable()
    try:
        painter = TilePainter(transform, iterations=3, adaptive=False)
        assert painter.paint(codes).shape == (1, 32, 32, 3)
        gone = weakref.ref(painter)
        del painter
        assert gone() is None
    finally:
        gc.enable()


@pytest.fixture(params=["tf32", "ieee"])
def allowed(request: pytest.FixtureRequest) -> Iterator[str]:
    """What convolutions may compute in by the settings of a user of PyTorch."""
    convolutions = torch.backends.cudnn.conv
    found = convolutions.fp32_precision
    convolutions.fp32_precision = request.param
    yield request.param
    convolutions.fp32_precision = found


@pytest.mark.parametrize(
    "target", [{}, {"psnr": 5.0}, {"bpp": 0.6}, {"tile": 16}, {"adaptive": "mse=1e-3"}]
)
def test_every_convolution_of_coding_is_in_float32(allowed: str, target: dict) -> None:
    network = Network(GRU, ScaledAdditive, width=0.125, iterations=3)
    used = set()

    def note(layer: torch.nn.Module, *_: object) -> None:
        used.add((layer, torch.backends.cudnn.conv.fp32_precision))

    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    for layer in layers:
        layer.register_forward_pre_hook(note)
    codec = Codec(Model(network))
    data = codec.encode(np.zeros((32, 40, 3), np.uint8), **target)
    for _ in codec.decode_progressive([data]):
        pass
    assert codec.decode(data).size == (40, 32)
    assert {precision for _, precision in used} == {"ieee"}
    assert {layer for layer, _ in used} >= {network.encoder.conv, network.decoder.conv}
    assert torch.backends.cudnn.conv.fp32_precision == allowed, "and put back"
