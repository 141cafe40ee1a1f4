from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from rnncodec.data.evaluation_sets import KODAK_SHA256, DemoImages, FolderImages, KodakImages
from rnncodec.data.module import DemoData
from rnncodec.errors import DataError

CONF = Path(__file__).parents[2] / "conf" / "eval"


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RNNCODEC_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def kodak(folder: Path, leave_out: str = "") -> Path:
    folder.mkdir(parents=True)
    for name in KODAK_SHA256:
        if name != leave_out:
            Image.new("RGB", (6, 4)).save(folder / name)
    return folder


def test_demo_images_are_not_those_of_the_demo_data():
    images, data = DemoImages(), DemoData()
    data.setup()
    assert images.names == ["chelsea.png", "coffee.png"]
    assert not set(images.names) & set(data.train_names + data.val_names)


def test_folder_images_are_whole(tmp_path: Path):
    Image.new("RGB", (37, 21)).save(tmp_path / "a.png")
    images = FolderImages(tmp_path)
    assert [(name, image.shape) for name, image in images] == [("a.png", (21, 37, 3))]
    assert images.paths == [tmp_path / "a.png"]


def test_kodak_in_a_given_folder(tmp_path: Path):
    images = KodakImages(kodak(tmp_path / "here"))
    assert len(images) == 24
    assert images.names[0] == "kodim01.png"
    assert images.names[-1] == "kodim24.png"
    assert images.load(0).shape == (4, 6, 3)


def test_kodak_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RNNCODEC_DATA", str(tmp_path))
    folder = kodak(tmp_path / "kodak")
    assert KodakImages(None).paths[0] == folder / "kodim01.png"


def test_kodak_in_the_download_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RNNCODEC_DATA", str(tmp_path / "elsewhere"))
    folder = kodak(tmp_path / "cache" / "rnncodec" / "kodak")
    assert KodakImages().paths[0] == folder / "kodim01.png"


def test_kodak_nowhere_says_what_to_do():
    with pytest.raises(DataError, match=r"RNNCODEC_DATA.*rnncodec fetch kodak.*eval=demo"):
        KodakImages()


def test_kodak_incomplete(tmp_path: Path):
    folder = kodak(tmp_path / "here", leave_out="kodim07.png")
    with pytest.raises(DataError, match=r"lacks 1 of the 24 Kodak images, first kodim07\.png"):
        KodakImages(folder)


@pytest.mark.parametrize("name", ["demo", "folder", "kodak"])
def test_configurations_construct_their_sets(name: str, tmp_path: Path):
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    roots = {"demo": {}, "folder": {"root": str(tmp_path)}, "kodak": {"root": None}}
    kodak(tmp_path / "cache" / "rnncodec" / "kodak")
    images = instantiate(OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml"), roots[name]))
    assert len(images) == len(images.paths) == {"demo": 2, "folder": 25, "kodak": 24}[name]
