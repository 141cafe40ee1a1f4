"""Each test begins without plug-ins, and leaves none behind."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec import plugins

SMALL = (
    *("model=tiny", "model.iterations=2", "data.batch_size=4", "data.val_fraction=0.3"),
    *("data.val_size=32", "data.val_images=2", "trainer.precision=32-true"),
    *("trainer.accelerator=cpu", "trainer.max_time=null", "trainer.max_steps=2"),
    *("trainer.enable_progress_bar=false", "logger=csv"),
)
"""Settings of a training of two steps."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_given", {})
    monkeypatch.delenv(plugins.VARIABLE, raising=False)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 pictures to train with, and 2 others for evaluation."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for k in range(14):
        path = folder / ("eval" if k >= 12 else "train") / f"{k:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(64, 192, (48, 64, 3), dtype=np.uint8)).save(path)
    return folder


def from_folder(photographs: Path) -> list[str]:
    roots = [f"data.root={photographs / 'train'}", f"eval.root={photographs / 'eval'}"]
    return ["data=folder", "eval=folder", *roots]


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))
