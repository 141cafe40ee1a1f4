"""What the tests of the evaluation share: pictures on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves with a little noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [120 + 60 * np.sin(x / (5 + c + seed)) + 40 * np.cos(y / (9 - c)) for c in range(3)]
    noisy = np.stack(waves, axis=-1) + rng.normal(0, 5, (height, width, 3))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


@pytest.fixture
def gallery(tmp_path: Path) -> Callable[..., Path]:
    """Write PNG files ``name=(height, width)`` into a folder; size None makes a corrupt one."""

    def write(**sizes: tuple[int, int] | None) -> Path:
        folder = tmp_path / "gallery"
        folder.mkdir(exist_ok=True)
        for seed, (name, size) in enumerate(sizes.items()):
            if size is None:
                (folder / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
            else:
                Image.fromarray(smooth(*size, seed)).save(folder / f"{name}.png")
        return folder

    return write
