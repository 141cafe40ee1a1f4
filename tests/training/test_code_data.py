"""The codes the entropy model learns are those of coding, and are made once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnncodec.codec import Codec
from rnncodec.coding.transform import Transform
from rnncodec.data.module import FolderData
from rnncodec.errors import ConfigError
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.training.code_data import CodeCrops, CodeData, by_size, unpacked

CROP = 32


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for k in range(12):
        pixels = rng.integers(0, 256, (48 + 16 * (k % 2), 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k:02d}.png")
    return folder


def network(priming: int = 0) -> Network:
    torch.manual_seed(0)
    return Network(GRU, Additive, width=0.125, iterations=2, priming=priming)


def code_data(root: Path, cache: Path, net: Network | None = None, **settings) -> CodeData:
    data = FolderData(root, val_fraction=0.3, val_images=3, val_size=64)
    transform = Transform(net or network(), torch.device("cpu"))
    settings = {"crops": 5, "crop": CROP, "batch_size": 2, "progress": False} | settings
    return CodeData(data, transform, cache, **settings)


def test_they_are_the_codes_of_coding(root: Path, tmp_path: Path) -> None:
    net, used = network(), set()
    net.binarizer.register_forward_pre_hook(
        lambda *_: used.add(torch.backends.cudnn.conv.fp32_precision)
    )
    data = code_data(root, tmp_path / "codes", net)
    data.setup()
    assert used == {"ieee"}
    codec = Codec(Model(network()))
    crops = next(iter(data.photographs.crops_of(CROP, batch_size=5, seed=0)))["image"]
    assert crops.shape == (5, 3, CROP, CROP)
    expected = [codec.encode_codes(crop.permute(1, 2, 0).numpy()) for crop in crops]
    assert data.train.shape == (5, 2, 2, 2, 4)
    # other batches may round a bit that stands on the edge otherwise
    assert (unpacked(data.train).numpy() != np.stack(expected)).mean() < 1e-3
    held_out = [batch["image"][0] for batch in data.photographs.val_dataloader()]
    assert len(data.validation) == len(held_out) == 3
    for packed, image in zip(data.validation, held_out, strict=True):
        expected = codec.encode_codes(image.permute(1, 2, 0).numpy())
        assert (unpacked(packed).numpy() != expected).mean() < 1e-3


def test_evaluation_images_are_left_out(root: Path, tmp_path: Path) -> None:
    data = code_data(root, tmp_path / "codes")
    kept = code_data(root, tmp_path / "kept")
    data.photographs.exclude([root / "00.png", root / "05.png"])
    data.setup()
    kept.setup()
    names = {*data.photographs.train_names, *data.photographs.val_names}
    assert not {"00.png", "05.png"} & names
    assert data.origin() != kept.origin()


def test_they_are_computed_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = code_data(root, tmp_path / "codes")
    first.setup()
    monkeypatch.delattr(Transform, "steps")
    again = code_data(root, tmp_path / "codes")
    again.setup()
    assert np.array_equal(first.train, again.train)
    assert all(map(np.array_equal, first.validation, again.validation))
    assert [path.name for path in tmp_path.iterdir()] == ["codes"]


@pytest.mark.parametrize("change", ["encoder", "priming", "crops", "crop", "seed", "damage"])
def test_what_they_depend_on_makes_them_anew(root: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "codes"
    before = code_data(root, cache)
    before.setup()
    net = network(priming=int(change == "priming"))
    if change == "encoder":
        with torch.no_grad():
            net.encoder.conv.weight.neg_()
    elif change == "damage":
        cache.write_bytes(cache.read_bytes()[:-3])
    changed = {"crops": 4, "crop": 48, "seed": 1}
    settings = {change: changed[change]} if change in changed else {}
    after = code_data(root, cache, net, **settings)
    after.setup()
    assert np.array_equal(before.train, after.train) == (change == "damage")
    stored = code_data(root, cache, net, **settings)
    stored.setup()
    assert np.array_equal(stored.train, after.train)


def test_every_pass_takes_each_crop_once_in_an_order_of_its_own() -> None:
    packed = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1, 1).repeat(4, axis=-1)
    crops = CodeCrops(packed, seed=3)
    drawn = [int(np.packbits(crops[index]["codes"].numpy())[0]) for index in range(21)]
    passes = [tuple(drawn[start : start + 7]) for start in (0, 7, 14)]
    assert all(sorted(order) == list(range(7)) for order in passes)
    assert len(set(passes)) == 3
    fresh = CodeCrops(packed, seed=3)
    backwards = [int(np.packbits(fresh[i]["codes"].numpy())[0]) for i in reversed(range(21))]
    assert drawn == backwards[::-1], "a function of the index, whatever came before"


def test_training_batches_hold_bits_and_indices(root: Path, tmp_path: Path) -> None:
    data = code_data(root, tmp_path / "codes")
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["codes"].shape == (2, 2, 2, 2, 32)
    assert batch["codes"].dtype == torch.uint8
    assert set(batch["codes"].unique().tolist()) == {0, 1}
    assert batch["index"].tolist() == [0, 1]


def test_fewer_validation_images_than_devices_are_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = code_data(root, tmp_path / "codes")
    data.setup()
    monkeypatch.setattr(data, "rank", lambda: (3, 4))
    with pytest.raises(ConfigError, match="3 validation images are too few for 4 devices; raise"):
        data.val_dataloader()


def test_validation_batches_are_of_one_size() -> None:
    sizes = [(1, 2, 3, 4), (1, 3, 2, 4), (1, 2, 3, 4), (1, 2, 3, 4)]
    batches = list(by_size([np.zeros(size, np.uint8) for size in sizes], most=2))
    shapes = [tuple(batch["codes"].shape) for batch in batches]
    assert shapes == [(2, 1, 2, 3, 32), (1, 1, 2, 3, 32), (1, 1, 3, 2, 32)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 40}, r"crop=40: expected a multiple of 16"),
        ({"crops": 0}, r"crops=0 .* expected at least 1"),
        ({"batch_size": 0}, r"batch_size=0: expected at least 1"),
    ],
)
def test_bad_settings(root: Path, tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        code_data(root, tmp_path / "codes", **settings)


def test_crops_larger_than_every_photograph(root: Path, tmp_path: Path) -> None:
    data = code_data(root, tmp_path / "codes", crop=80)
    with pytest.raises(ConfigError, match="no training photograph is that large; use at most 64"):
        data.setup()
