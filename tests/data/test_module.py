import inspect
import itertools
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra.utils import get_class, instantiate
from lightning import LightningModule, Trainer
from omegaconf import OmegaConf
from PIL import Image

from rnncodec.data.module import CropData, DemoData, FolderData
from rnncodec.data.photos import DEMO_SPLITS, DemoPhotos, FolderPhotos, hash_fraction
from rnncodec.errors import ConfigError, DataError

CONF = Path(__file__).parents[2] / "conf" / "data"


def fill(folder: Path, count: int = 20, side: int = 48) -> Path:
    for number in range(count):
        path = folder / f"s{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def attach(data: CropData, rank: int = 0, ranks: int = 1, *, step: int = 0, every: int = 1):
    data.trainer = SimpleNamespace(
        global_rank=rank,
        world_size=ranks,
        global_step=step,
        accumulate_grad_batches=every,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    data.setup()
    return data


def indices(data: CropData, batches: int) -> list[list[int]]:
    loader = data.train_dataloader()
    return [batch["index"].tolist() for batch in itertools.islice(loader, batches)]


@pytest.mark.parametrize("crop", [0, 8, 24, -16])
def test_crop_is_a_multiple_of_sixteen(crop: int):
    with pytest.raises(ConfigError, match=f"data.crop={crop}: expected a multiple of 16"):
        DemoData(crop=crop)


@pytest.mark.parametrize(
    "setting", ["batch_size", "val_images", "val_size", "num_workers", "cache_mb", "seed"]
)
def test_settings_below_their_least(setting: str):
    with pytest.raises(ConfigError, match=f"data.{setting}=-1: expected at least"):
        DemoData(**{setting: -1})


@pytest.mark.parametrize("fraction", [-0.1, 0, 1, 1.5])
def test_val_fraction_out_of_range(tmp_path: Path, fraction: float):
    with pytest.raises(ConfigError, match=r"val_fraction=.*between 0 and 1"):
        FolderData(tmp_path, val_fraction=fraction)


def test_demo_splits(caplog):
    data = DemoData(batch_size=4)
    data.setup()
    assert set(data.train_names) == set(DEMO_SPLITS["train"])
    assert set(data.val_names) == set(DEMO_SPLITS["validation"])
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 3, 32, 32)
    for item in data.val_dataloader():
        assert item["image"].shape == (1, 3, 256, 256)
    assert not caplog.messages


def test_folder_is_split_by_the_hash_of_the_relative_path(tmp_path: Path):
    data = attach(FolderData(fill(tmp_path), val_fraction=0.3))
    assert len(data.train_names) + len(data.val_names) == 20
    assert all(hash_fraction(name) < 0.3 for name in data.val_names)
    assert all(hash_fraction(name) >= 0.3 for name in data.train_names)


def test_split_does_not_depend_on_other_files_or_the_place(tmp_path: Path):
    small = attach(FolderData(fill(tmp_path / "small", 10), val_fraction=0.4))
    large = attach(FolderData(fill(tmp_path / "large", 20), val_fraction=0.4))
    assert set(small.train_names) <= set(large.train_names)
    assert set(small.val_names) <= set(large.val_names)


def test_val_images_limits_validation_but_not_what_is_held_out(tmp_path: Path):
    data = attach(FolderData(fill(tmp_path), val_fraction=0.4, val_images=2))
    assert len(data.val_names) == 2
    assert all(hash_fraction(name) >= 0.4 for name in data.train_names)


@pytest.mark.parametrize(
    ("fraction", "missing", "change"),
    [(0.001, "validation", "raise"), (0.999, "training", "lower")],
)
def test_one_set_stays_empty(tmp_path: Path, fraction: float, missing: str, change: str):
    data = FolderData(fill(tmp_path, 4), val_fraction=fraction)
    with pytest.raises(DataError, match=f"left for {missing}; {change} data.val_fraction"):
        data.setup()


def test_evaluation_images_inside_the_root_are_left_out(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    root = fill(tmp_path)
    data = FolderData(root, val_fraction=0.3)
    data.exclude([root / "s0" / ".." / "s0" / "0.png", root / "s1" / "1.png", Path("/other.png")])
    data.setup()
    names = data.train_names + data.val_names
    assert len(names) == 18
    assert not {"s0/0.png", "s1/1.png"} & set(names)
    assert f"left out 2 evaluation images of {root}" in caplog.messages


def test_nothing_left_beside_the_evaluation_images(tmp_path: Path):
    data = FolderData(fill(tmp_path, 3))
    data.exclude(tmp_path.rglob("*.png"))
    with pytest.raises(DataError, match=r"all 3 images .* are evaluation images"):
        data.setup()


def test_demo_without_its_validation_photographs():
    data = DemoData()
    data.exclude(DemoPhotos("validation").paths)
    with pytest.raises(DataError, match=r"left for validation; .*choose another eval"):
        data.setup()


def test_missing_root(tmp_path: Path):
    data = FolderData(tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere does not exist"):
        data.setup()


def test_training_sees_shrunk_photographs_and_validation_whole_ones(tmp_path: Path):
    fill(tmp_path, side=64)
    config = OmegaConf.merge(
        OmegaConf.load(CONF / "folder.yaml"),
        {"root": str(tmp_path), "crop": 32, "shrink": [0.5, 0.5], "val_fraction": 0.3, "seed": 0},
    )
    data = attach(instantiate(config))
    loaded = {name: pixels for name, pixels in FolderPhotos(tmp_path) if name in data.train_names}
    halves = [
        np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.LANCZOS))
        for pixels in loaded.values()
    ]
    crop = next(iter(data.train_dataloader()))["image"][0].numpy().transpose(1, 2, 0)
    # of 64 pixels, halved, only one place is left for a crop of 32: the whole photograph
    assert any((crop == half).all() or (crop == half[:, ::-1]).all() for half in halves)
    whole = dict(FolderPhotos(tmp_path))
    for batch in data.val_dataloader():
        np.testing.assert_array_equal(batch["image"][0].permute(1, 2, 0), whole[batch["name"]])
    larger = next(iter(data.crops_of(64, batch_size=1, seed=0)))["image"][0].permute(1, 2, 0)
    assert any(
        (larger.numpy() == pixels).all() or (larger.numpy() == pixels[:, ::-1]).all()
        for pixels in loaded.values()
    )


def test_training_photographs_too_small_to_be_shrunk(tmp_path: Path):
    fill(tmp_path, side=48)
    message = "48x48 pixels is smaller than data.crop=32 at data.shrink=0.6, of 54x54 pixels"
    with pytest.raises(DataError, match=message):
        attach(FolderData(tmp_path, crop=32, shrink=0.6))


def test_every_image_smaller_than_the_crop(tmp_path: Path):
    data = FolderData(fill(tmp_path, 7, side=24))
    with pytest.raises(DataError, match=r"7 of 7 .*24x24 pixels is smaller than data\.crop=32"):
        data.setup()


def test_few_unusable_images_are_skipped_and_named(tmp_path: Path, caplog):
    root = fill(tmp_path, 200, side=32)
    (root / "s0" / "0.png").write_text("no picture")
    Image.new("RGB", (31, 99)).save(root / "s1" / "1.png")
    data = attach(FolderData(root, val_images=1))
    assert not {"s0/0.png", "s1/1.png"} & set(data.train_names + data.val_names)
    assert len(caplog.messages) == 2
    assert "skipping s1/1.png (2 of 200): 31x99" in caplog.messages[1]


def test_many_unreadable_images_fail_by_name(tmp_path: Path):
    root = fill(tmp_path, 20)
    names = ("s0/3.png", "s1/4.png", "s2/5.png", "s0/6.png")
    for name in names[:3]:
        (root / name).write_bytes(b"")
    data = FolderData(root)
    data.setup()
    assert not {*names[:3]} & {*data.train_names, *data.val_names}
    (root / names[3]).write_bytes(b"")
    data = FolderData(root)
    with pytest.raises(DataError, match=r"4 of 20 images .*s2/5\.png"):
        data.setup()


def test_training_starts_where_the_trainer_stands(tmp_path: Path):
    data = attach(FolderData(fill(tmp_path), batch_size=3), step=5, every=2)
    assert indices(data, 2) == [[30, 31, 32], [33, 34, 35]]


def test_ranks_share_the_global_batch(tmp_path: Path):
    root = fill(tmp_path)
    parts = [indices(attach(FolderData(root, batch_size=4), rank, 2), 2) for rank in range(2)]
    assert parts == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]


def test_indivisible_batch(tmp_path: Path):
    data = attach(FolderData(fill(tmp_path), batch_size=4), 0, 3)
    with pytest.raises(ConfigError, match="batch_size=4 cannot be divided among 3 devices"):
        data.train_dataloader()


def test_ranks_share_the_validation_images_without_duplicates(tmp_path: Path):
    root = fill(tmp_path)
    parts = [attach(FolderData(root, val_fraction=0.4), rank, 2) for rank in range(2)]
    seen = [[item["name"] for item in part.val_dataloader()] for part in parts]
    assert sorted(itertools.chain(*seen)) == parts[0].val_names
    assert seen[0] == parts[0].val_names[::2]


def test_fewer_validation_images_than_devices(tmp_path: Path):
    data = attach(FolderData(fill(tmp_path), val_images=1), 0, 2)
    with pytest.raises(ConfigError, match="1 validation images are too few for 2 devices"):
        data.val_dataloader()


class Recorder(LightningModule):
    """Notes which samples it is given and takes a trivial step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[int]] = []
        self.validated: list[str] = []

    def training_step(self, batch, batch_idx):
        self.seen.append(batch["index"].tolist())
        return self.weight * batch["image"].float().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch["name"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(data: CropData, folder: Path, *, steps: int, ckpt: Path | None = None) -> Recorder:
    model = Recorder()
    trainer = Trainer(
        max_steps=steps,
        accumulate_grad_batches=2,
        val_check_interval=4,
        check_val_every_n_epoch=None,
        use_distributed_sampler=False,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(model, datamodule=data, ckpt_path=ckpt, weights_only=True if ckpt else None)
    trainer.save_checkpoint(folder / "last.ckpt")
    return model


@pytest.mark.filterwarnings("ignore:The .* does not have many workers")
@pytest.mark.filterwarnings("ignore:The .srun. command is available")  # where Slurm is
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # in Lightning
@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_training_goes_on_exactly(tmp_path: Path, workers: int):
    root = fill(tmp_path / "photos")

    def data() -> CropData:
        return FolderData(root, batch_size=2, num_workers=workers)

    whole = train(data(), tmp_path, steps=5)
    assert whole.seen == [[2 * i, 2 * i + 1] for i in range(10)]
    assert whole.validated
    begun = train(data(), tmp_path, steps=3)
    resumed = train(data(), tmp_path, steps=5, ckpt=tmp_path / "last.ckpt")
    assert begun.seen + resumed.seen == whole.seen
    assert torch.equal(resumed.weight, whole.weight)


@pytest.mark.parametrize("name", ["demo", "folder", "tiles"])
def test_configuration_names_the_constructors_settings_and_defaults(name: str, tmp_path: Path):
    leaf = OmegaConf.load(CONF / f"{name}.yaml")
    parameters = {
        key: p.default
        for owner in (CropData, get_class(leaf._target_))
        for key, p in inspect.signature(owner).parameters.items()
        if p.kind is not p.VAR_KEYWORD
    }
    assert set(leaf) - {"_target_"} == set(parameters)
    for key in set(parameters) - {"root", "seed"}:
        assert leaf[key] == parameters[key], key
    overrides = {} if name == "demo" else {"root": str(tmp_path)}
    config = OmegaConf.create({"seed": 3, "data": OmegaConf.merge(leaf, overrides)})
    assert instantiate(config.data).random_crop.seed == 3
