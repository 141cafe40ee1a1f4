import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.test_module import train
from tests.machine.web_server import serving

from rnncodec.data.module import FolderData
from rnncodec.data.tile_module import TileData
from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Mode, Settings
from rnncodec.prepare.sources import Files

PLAIN = {"tile": 16, "shard_tiles": 16, "min_side": 16, "mode": Mode.ALL, "refuse": ()}
SIDE = 48


def album(folder: Path, images: int, first: int = 0) -> Path:
    """Photographs of nine tiles of one colour each; all colours are different."""
    folder.mkdir()
    for number in range(first, first + images):
        ids = 9 * number + np.arange(9, dtype=np.uint16).reshape(3, 3)
        pixels = np.stack([ids % 256, ids // 256, np.full_like(ids, 99)], axis=2)
        big = pixels.astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)
        Image.fromarray(big).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A set of tiles of 16 pixels, each of its own colour."""
    folder = tmp_path_factory.mktemp("tiles")
    prepare(Files(album(folder / "album", 20)), folder / "set", Settings(**PLAIN))
    return folder / "set"


def colours(batch: dict[str, torch.Tensor]) -> list[int]:
    red, green = batch["image"][:, 0, 0, 0].int(), batch["image"][:, 1, 0, 0].int()
    return (red + 256 * green).tolist()


def attach(data: TileData, rank: int = 0, ranks: int = 1, *, step: int = 0) -> TileData:
    data.trainer = SimpleNamespace(
        global_rank=rank,
        world_size=ranks,
        global_step=step,
        accumulate_grad_batches=1,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    data.setup()
    return data


def seen(data: TileData, batches: int) -> dict[int, int]:
    """Global index -> colour, over some batches of one device."""
    found: dict[int, int] = {}
    loader = data.train_dataloader()
    for batch in itertools.islice(loader, batches):
        found |= dict(zip(batch["index"].tolist(), colours(batch), strict=True))
    return found


def settings(**more) -> dict:
    return {"crop": 16, "batch_size": 12, "seed": 5, **more}


def total(root: Path) -> int:
    data = TileData(root, **settings())
    data.setup()
    return len(data._tiles.sets[0])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")  # 2 cores
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_each_tile_exactly_once_an_epoch(root: Path, ranks: int, workers: int):
    tiles = total(root)
    batches = -(-tiles // 12)
    found: dict[int, int] = {}
    for rank in range(ranks):
        share = seen(attach(TileData(root, **settings(num_workers=workers)), rank, ranks), batches)
        assert not share.keys() & found.keys()
        found |= share
    assert sorted(found) == list(range(12 * batches))
    first = [found[index] for index in range(tiles)]
    assert len(set(first)) == tiles, "no tile twice, so none is missing"
    assert found == seen(attach(TileData(root, **settings())), batches), "the same for any split"


def test_the_next_epoch_begins_where_the_first_ends(root: Path):
    tiles = total(root)
    found = seen(attach(TileData(root, **settings())), -(-2 * tiles // 12))
    second = [found[index] for index in range(tiles, 2 * tiles)]
    assert len(set(second)) == tiles
    assert second != [found[index] for index in range(tiles)]


@pytest.mark.filterwarnings("ignore:The .* does not have many workers")
@pytest.mark.filterwarnings("ignore:The .srun. command is available")  # where Slurm is
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # in Lightning
def test_resumed_in_the_middle_of_an_epoch(root: Path, tmp_path: Path):
    def data() -> TileData:
        return TileData(root, **settings(batch_size=2))

    whole = train(data(), tmp_path, steps=5)
    begun = train(data(), tmp_path, steps=3)
    resumed = train(data(), tmp_path, steps=5, ckpt=tmp_path / "last.ckpt")
    assert begun.seen + resumed.seen == whole.seen
    assert torch.equal(resumed.weight, whole.weight)
    assert whole.validated


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")  # 2 cores
@pytest.mark.parametrize(("ranks", "workers"), [(1, 3), (3, 1), (4, 0)])
def test_going_on_anywhere_with_other_devices_and_workers(root: Path, ranks: int, workers: int):
    """From step 7, in the middle of a pass, into the next one."""
    whole = seen(attach(TileData(root, **settings())), 20)
    found: dict[int, int] = {}
    for rank in range(ranks):
        data = TileData(root, **settings(num_workers=workers))
        found |= seen(attach(data, rank, ranks, step=7), 13)
    assert found == {index: whole[index] for index in range(7 * 12, 20 * 12)}
    assert 7 * 12 < total(root) < 20 * 12


@pytest.fixture
def server(root: Path):
    with serving(root.parent) as server:
        yield server


@pytest.mark.parametrize("workers", [0, 2])
def test_from_a_server_as_from_the_folder(root: Path, server, tmp_path: Path, workers: int):
    more = settings(num_workers=workers)
    remote = TileData(f"{server.url}/set", cache_dir=tmp_path, **more)
    assert seen(attach(remote, step=3), 20) == seen(attach(TileData(root, **more), step=3), 20)
    assert remote.val_names
    shards = [count for name, count in server.asked.items() if name.endswith(".tar")]
    assert set(shards) == {1}, "each was fetched once, whoever wanted it"


@pytest.mark.filterwarnings("ignore:The .* does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # in Lightning
def test_resumed_from_a_server(root: Path, server, tmp_path: Path):
    def data() -> TileData:
        return TileData(f"{server.url}/set", cache_dir=tmp_path / "c", **settings(batch_size=2))

    whole = train(TileData(root, **settings(batch_size=2)), tmp_path, steps=5)
    begun = train(data(), tmp_path, steps=3)
    resumed = train(data(), tmp_path, steps=5, ckpt=tmp_path / "last.ckpt")
    assert begun.seen + resumed.seen == whole.seen


def test_a_cache_that_cannot_do(server, tmp_path: Path):
    data = TileData(f"{server.url}/set", cache_dir=tmp_path, cache_gb=1e-5, crop=16)
    with pytest.raises(
        ConfigError, match=r"data\.cache_gb=1e-05: two windows of data\.window=128"
    ):
        data.setup()


def test_validation_is_that_of_the_folder(root: Path):
    folder, tiles = FolderData(root.parent / "album", crop=16), TileData(root, crop=16)
    folder.setup()
    tiles.setup()
    assert tiles.val_names == folder.val_names
    assert tiles.train_names == sorted(folder.train_names)
    for one, other in zip(tiles.val_dataloader(), folder.val_dataloader(), strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["image"], other["image"])


def test_larger_crops_come_from_whole_photographs(root: Path):
    data = TileData(root, crop=16)
    data.setup()
    batch = next(iter(data.crops_of(48, batch_size=3, seed=0)))
    assert batch["image"].shape == (3, 3, 48, 48)


def test_a_crop_within_a_tile_and_its_mirror_image(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (tmp_path / "album").mkdir()
    for number in range(20):
        Image.fromarray(pixels + np.uint8(number)).save(tmp_path / "album" / f"{number}.png")
    prepare(Files(tmp_path / "album"), tmp_path / "s", Settings(**{**PLAIN, "tile": 64}))
    data = TileData(tmp_path / "s", crop=16)
    data.setup()
    places = set()
    for index in range(60):
        crop = data._tiles[index].image
        assert crop.shape == (16, 16, 3)
        tile = data._tiles.sets[0].load(data._tiles.orders[0].tile(index))
        both = [tile, tile[:, ::-1]]
        windows = [np.lib.stride_tricks.sliding_window_view(t, (16, 16, 3)) for t in both]
        hits = [np.argwhere((w == crop).all(axis=(2, 3, 4, 5))) for w in windows]
        assert len(hits[0]) + len(hits[1]) == 1
        places.add((bool(len(hits[0])), *map(int, np.concatenate(hits)[0])))
    assert len(places) > 50


def test_sets_mixed_by_weight(root: Path, tmp_path: Path):
    other = album(tmp_path / "album", 20, first=20)
    prepare(Files(other), tmp_path / "set", Settings(**PLAIN))
    data = attach(TileData([root, tmp_path / "set"], weights=[3, 1], **settings()))
    found = list(seen(data, 40).values())
    share = sum(colour >= 9 * 20 for colour in found) / len(found)
    assert share == pytest.approx(0.25, abs=0.08)
    assert len(data.val_names) >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1, 2]}, r"data\.weights=\[1, 2\]: expected 1 of them"),
        ({"window": 0}, r"data\.window=0: expected at least 1"),
        ({"cache_gb": 0}, r"data\.cache_gb=0: expected more than 0"),
        ({"root": []}, r"data\.root=\[\]: expected a folder"),
    ],
)
def test_settings_that_cannot_work(change: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        TileData(**{"root": "somewhere", **change})


def test_a_crop_larger_than_the_tiles(root: Path):
    data = TileData(root, crop=32)
    with pytest.raises(
        ConfigError, match=r"data\.crop=32: the tiles of .* are 16x16; lower data.crop"
    ):
        data.setup()


def test_a_folder_that_is_no_set(tmp_path: Path):
    data = TileData(tmp_path)
    with pytest.raises(DataError, match="tiles are made with `rnncodec prepare`"):
        data.setup()
