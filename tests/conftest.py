"""Shared by all tests: one thread each (they run side by side), a fixed seed, a tiny model.

``TEST_THREADS=2`` gives each test two.
"""

import os
from pathlib import Path

import pytest
import torch

from rnncodec import models
from rnncodec.codec import Codec
from rnncodec.entropy import quantize
from rnncodec.entropy.progressive import Progressive
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive

torch.set_num_threads(int(os.environ.get("TEST_THREADS", "1")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_codec() -> Codec:
    """An untrained codec of 3 iterations."""
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=3)
    return Codec(Model(network, quantize(Progressive(3, 8)), {"score": 0.25, "step": 7}))


@pytest.fixture
def tiny(tiny_codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codec:
    """The same, as the only model that is found: named ``tiny``, nothing packaged."""
    shelf = tmp_path / "shelf"
    tiny_codec.save(shelf / "tiny.safetensors")
    monkeypatch.setenv(models.VARIABLE, str(shelf))
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "no weights")
    return tiny_codec
