"""The training step does what its settings say."""

from functools import partial

import pytest
import torch

from rnncodec.cells.gru import GRU
from rnncodec.errors import ConfigError
from rnncodec.network import Network
from rnncodec.pixels import from_uint8
from rnncodec.recon.additive import Additive
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.losses import L1
from rnncodec.unroll import unroll

BATCH = {
    "image": torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte(),
    "index": torch.tensor([3, 4]),
}


def make(**settings: str) -> CodecModule:
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=3)
    module = CodecModule(network, L1(), partial(torch.optim.Adam, lr=1e-3), seed=0, **settings)
    module.log = lambda *_, **__: None  # no trainer to log to
    return module


def losses(module: CodecModule) -> torch.Tensor:
    """Of each iteration, with the bits of coding."""
    x = from_uint8(BATCH["image"])
    steps = unroll(module.network, x, iterations=3)
    return torch.stack([(x - step.x_hat).abs().mean() for step in steps])


def test_the_sign_trains_on_the_bits_of_coding() -> None:
    module = make(binarizer="sign")
    torch.testing.assert_close(module.training_step(BATCH, 0), losses(module).mean())


def test_the_stochastic_binarizer_draws_by_sample() -> None:
    module = make()
    first = module.training_step(BATCH, 0)
    assert first == module.training_step(BATCH, 0), "a function of seed and sample"
    assert first != losses(module).mean()
    assert first != module.training_step(BATCH | {"index": torch.tensor([5, 6])}, 0)


def test_the_geometric_mean_weighs_a_percent_alike_at_every_iteration() -> None:
    module = make(binarizer="sign", mean="geometric")
    by_iteration = losses(module)
    expected = by_iteration.prod() ** (1 / 3)
    torch.testing.assert_close(module.training_step(BATCH, 0), expected)
    assert expected < by_iteration.mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"binarizer": "noisy"}, "binarizer='noisy': expected one of stochastic, sign"),
        ({"mean": "median"}, "loss_mean='median': expected one of arithmetic, geometric"),
    ],
)
def test_unknown_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**settings)
