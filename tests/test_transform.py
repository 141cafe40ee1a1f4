"""The network's side of coding: what it keeps, and for how long."""

import gc
import weakref

import numpy as np
import torch

from rnncodec.cells.gru import GRU
from rnncodec.network import Network
from rnncodec.recon.additive import Additive
from rnncodec.transform import TilePainter, Transform


def test_a_tile_is_forgotten_at_once_without_waiting_for_the_garbage_collector() -> None:
    transform = Transform(Network(GRU, Additive, width=0.125, iterations=3), torch.device("cpu"))
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
