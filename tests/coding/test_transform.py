"""The network's side of coding: what it keeps, and for how long."""

import gc
import math
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncodec.bitstream import Header, info
from rnncodec.codec import Codec, load
from rnncodec.coding import transform as module
from rnncodec.coding.transform import TileRuns, TileSynthesizer, Transform
from rnncodec.data.photos import DemoPhotos
from rnncodec.images import similarity
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
        synthesizer = TileSynthesizer(transform, iterations=3, adaptive=False)
        assert synthesizer.synthesize(codes).shape == (1, 32, 32, 3)
        gone = weakref.ref(synthesizer)
        del synthesizer
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


GOLDEN = load(Path(__file__).parents[1] / "golden" / "model.safetensors")
PHOTO = next(image for _, image in DemoPhotos("train"))[:192, :200]


def ms_ssim(image: object) -> float:
    x, y = (torch.tensor(np.asarray(a)).permute(2, 0, 1)[None].double() for a in (PHOTO, image))
    return similarity.multi_scale(x, y).item()


def psnr(image: object) -> float:
    return 10 * math.log10(255**2 / ((np.asarray(image, float) - PHOTO) ** 2).mean())


@pytest.mark.parametrize("kept", [12, 5, 0])
@pytest.mark.parametrize("measure", [ms_ssim, psnr])
def test_a_picture_in_tiles_stops_where_as_a_whole_it_reaches_the_target(
    measure: Callable[[object], float], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles far smaller than MS-SSIM needs; the states of all of them, of some or of one stay."""
    monkeypatch.setattr(module, "STATES", 16 * kept * GOLDEN.transform.state_bytes())
    monkeypatch.setattr(module, "ANEW", (2,))
    full = GOLDEN.encode(PHOTO, tile=64)
    codes = GOLDEN.decode_codes(full)
    scores = [measure(image) for image in GOLDEN.decode_progressive(full)]
    for k, (low, high) in enumerate(pairwise([0, *scores]), start=1):
        for target in (low + 1e-3, high - 1e-3):
            data = GOLDEN.encode(PHOTO, tile=64, **{measure.__name__: target})
            assert info(data).header.iterations == k
            found = GOLDEN.decode_codes(data)
            np.testing.assert_array_equal(found[:-1], codes[: k - 1])
            np.testing.assert_array_equal(found[-1], np.where(found[-1] == 2, 2, codes[k - 1]))
            assert measure(GOLDEN.decode(data)) >= target - 1e-9


@pytest.mark.parametrize("how", [{"adaptive": "ssim"}, {"effort": 1}], ids=str)
def test_searches_reach_the_target_of_the_whole_picture(how: dict) -> None:
    plain = GOLDEN.encode(PHOTO, tile=64, ms_ssim=0.9)
    data = GOLDEN.encode(PHOTO, tile=64, ms_ssim=0.9, **how)
    assert ms_ssim(GOLDEN.decode(data)) >= 0.9 - 1e-6
    assert len(data) <= len(plain)


@pytest.mark.parametrize(("states", "runs"), [(1 << 30, 4), (0, 4 * 2)])
def test_tiles_run_no_further_than_the_target(
    states: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATES", states)
    monkeypatch.setattr(module, "ANEW", (2,))
    counted: list[object] = []
    handle = GOLDEN.model.network.encoder.register_forward_hook(lambda *_: counted.append(1))
    try:
        assert info(GOLDEN.encode(PHOTO, tile=112, psnr=5.0)).iterations == 1
    finally:
        handle.remove()
    assert len(counted) == runs + 1, "one more to see how large the states of a position are"


def test_a_rate_goes_on_where_tiles_were(monkeypatch: pytest.MonkeyPatch) -> None:
    full = GOLDEN.encode(PHOTO, tile=64)
    codes = GOLDEN.decode_codes(full)
    for states in (module.STATES, 0):
        monkeypatch.setattr(module, "STATES", states)
        for k, bpp in enumerate(info(full).bpp, start=1):
            data = GOLDEN.encode(PHOTO, tile=64, bpp=bpp + 1e-9)
            np.testing.assert_array_equal(GOLDEN.decode_codes(data), codes[:k])


def test_as_many_tiles_go_on_as_their_states_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    header = Header(width=200, height=192, iterations=3, fingerprint=bytes(16), tile=64)
    both = np.stack([PHOTO, PHOTO])
    for positions, kept in ((0, 1), (2 * 16 + 15, 2), (3 * 16 + 4, 4), (10**6, 12)):
        states = len(both) * positions * GOLDEN.transform.state_bytes()
        monkeypatch.setattr(module, "STATES", states)
        assert TileRuns(GOLDEN.transform, both, header).resumable == kept
