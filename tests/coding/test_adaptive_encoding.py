"""Adaptive files through the whole codec: a small trained model, all entropy models."""

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnncodec import truncate
from rnncodec.bitstream import UNSENT, info, sending, sending_shares
from rnncodec.codec import Codec, load
from rnncodec.data.photos import DemoPhotos
from rnncodec.entropy import quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.integer import IntegerModel
from rnncodec.errors import BitstreamError, ConfigError, RNNCodecWarning
from rnncodec.models.model_file import Model

GOLDEN = load(Path(__file__).parents[1] / "golden" / "model.safetensors")
NETWORK = GOLDEN.model.network
torch.manual_seed(0)
CODECS = {
    "none": Codec(Model(NETWORK, None)),
    "binary_rnn": Codec(Model(NETWORK, quantize(BinaryRNN(3, 8)))),
    "progressive": GOLDEN,
}
PHOTO = next(image for _, image in DemoPhotos("train"))[20:110, 180:290]
RULE = "mse=1e-3"


def psnr(codec: Codec, data: bytes, pixels: np.ndarray = PHOTO) -> float:
    error = (np.asarray(codec.decode(data), float) - pixels) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("tile", [0, 48])
def test_round_trip(name: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, written = CODECS[name], []
    write = codec._encoder.write
    monkeypatch.setattr(
        codec._encoder,
        "write",
        lambda header, codes: (written.append(codes), write(header, codes))[1],
    )
    data = codec.encode(PHOTO, adaptive=RULE, tile=tile)
    codes = codec.decode_codes(data)
    np.testing.assert_array_equal(codes, written[-1])
    shares = sending(codes).mean(axis=(1, 2))
    assert sending_shares(data) == tuple(shares)
    assert 1 == shares[0] >= shares[1] > shares[2] > 0
    assert info(data).header.adaptive
    assert len(data) < len(codec.encode(PHOTO, tile=tile))


@pytest.mark.parametrize("name", CODECS)
def test_every_way_to_decode_gives_the_same_pictures(name: str) -> None:
    codec = CODECS[name]
    data = codec.encode(PHOTO, adaptive=RULE, tile=64)
    stages = [np.asarray(image) for image in codec.decode_progressive(data)]
    dripping = (data[k : k + 1] for k in range(len(data)))
    for k, image in enumerate(codec.decode_progressive(dripping), start=1):
        np.testing.assert_array_equal(np.asarray(image), stages[k - 1])
        np.testing.assert_array_equal(np.asarray(codec.decode(data, iterations=k)), stages[k - 1])
        cut = truncate(data, iterations=k)
        np.testing.assert_array_equal(np.asarray(codec.decode(cut)), stages[k - 1])


def test_every_truncation_gives_the_last_whole_iteration_or_one_error() -> None:
    pixels = PHOTO[:40, :56]
    data = GOLDEN.encode(pixels, adaptive=RULE)
    codes = GOLDEN.decode_codes(data)
    sizes = info(data).segment_bytes
    assert len(sizes) == 3
    ends = np.cumsum([len(data) - sum(sizes), *sizes])
    for length in range(len(data) + 1):
        whole = int((ends <= length).sum()) - 1
        if whole < 1:
            with pytest.raises(BitstreamError):
                GOLDEN.decode_codes(data[:length])
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RNNCodecWarning)
            found = GOLDEN.decode_codes(data[:length])
        np.testing.assert_array_equal(found, codes[:whole])


def test_the_picture_of_a_block_that_has_ended_stays_as_it_is() -> None:
    data = GOLDEN.encode(PHOTO, adaptive=RULE)
    sends = sending(GOLDEN.decode_codes(data))
    stages = [np.asarray(image) for image in GOLDEN.decode_progressive(data)]
    for before, after, still in zip(stages, stages[1:], sends[1:], strict=False):
        for y, x in np.argwhere(~still):
            block = np.s_[16 * y : 16 * y + 16, 16 * x : 16 * x + 16]
            np.testing.assert_array_equal(before[block], after[block])


def test_codes_are_exact_however_the_pixels_were_computed() -> None:
    network = copy.deepcopy(NETWORK)
    with torch.no_grad():
        for weight in network.encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.01)
    entropy = GOLDEN.model.entropy
    assert entropy is not None
    other = Codec(Model(network, entropy))
    data = other.encode(PHOTO, adaptive=RULE, tile=64)
    assert other.fingerprint == GOLDEN.fingerprint
    codes = GOLDEN.decode_codes(data)
    assert (codes == UNSENT).any()
    assert not np.array_equal(codes, GOLDEN.decode_codes(GOLDEN.encode(PHOTO, adaptive=RULE)))
    double = IntegerModel.from_state(*entropy.state(), dtype=torch.float64)
    np.testing.assert_array_equal(Codec(Model(NETWORK, double)).decode_codes(data), codes)


def test_where_nothing_ends_the_file_is_the_plain_one() -> None:
    plain = GOLDEN.encode(PHOTO, iterations=1)
    assert GOLDEN.encode(PHOTO, iterations=1, adaptive=RULE) == plain


def test_a_file_stops_when_every_position_has_ended() -> None:
    flat = np.full((48, 64, 3), 90, np.uint8)
    data = GOLDEN.encode(flat, adaptive="mse=0.1")
    assert data == GOLDEN.encode(flat, iterations=1)


def test_a_rate_is_kept_with_and_without_a_threshold() -> None:
    pixels = 8 / (90 * 110)
    for rule in ("mse", "ssim", "mse=3e-4"):
        data = GOLDEN.encode(PHOTO, bpp=300 * pixels, adaptive=rule)
        assert len(data) <= 300
    found = GOLDEN.encode(PHOTO, bpp=300 * pixels, adaptive="mse")
    plain = GOLDEN.encode(PHOTO, bpp=300 * pixels)
    assert 285 <= len(found) <= 300
    assert 290 <= len(plain) <= 300
    whole = GOLDEN.encode(PHOTO, iterations=info(plain).iterations - 1)
    assert len(whole) < 250
    assert psnr(GOLDEN, found) > psnr(GOLDEN, plain) > psnr(GOLDEN, whole) + 0.5


def test_a_quality_is_reached_with_fewer_bytes() -> None:
    target = psnr(GOLDEN, GOLDEN.encode(PHOTO, iterations=2)) + 0.05
    whole = GOLDEN.encode(PHOTO, iterations=3)
    plain = GOLDEN.encode(PHOTO, psnr=target)
    for rule in ("mse", "mse=2e-4"):
        found = GOLDEN.encode(PHOTO, psnr=target, adaptive=rule)
        assert psnr(GOLDEN, found) >= target
        assert len(found) < len(whole)
    assert len(GOLDEN.encode(PHOTO, psnr=target, adaptive="mse")) <= len(plain) < len(whole)


@pytest.mark.parametrize("target", [{"psnr": 60.0}, {"bpp": 0.001}])
def test_targets_out_of_reach_are_said(target: dict[str, float]) -> None:
    with pytest.warns(RNNCodecWarning, match="cannot be reached"):
        GOLDEN.encode(PHOTO[:32, :32], adaptive="mse", **target)


def test_images_of_one_size_are_coded_together() -> None:
    images = [PHOTO[:48, :64], PHOTO[40:88, 40:104]]
    for image, data in zip(images, GOLDEN.encode_all(images, adaptive=RULE), strict=True):
        alone = sending(GOLDEN.decode_codes(GOLDEN.encode(image, adaptive=RULE)))
        # Another batch size may round the float network otherwise: here and there a position.
        assert (sending(GOLDEN.decode_codes(data)) != alone).mean() < 0.02


def test_what_is_no_rule() -> None:
    with pytest.raises(ConfigError, match="adaptive=psnr: expected one of ssim, mse"):
        GOLDEN.encode(Image.new("RGB", (16, 16)), adaptive="psnr")
