"""One Slurm for all tests, and photographs for their jobs."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests_cluster.own_slurm import OwnSlurm, why_not


@pytest.fixture(scope="session")
def slurm() -> Iterator[OwnSlurm]:
    """The running Slurm, in a folder that user munge can enter."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no Slurm here: {reason}")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as Ctrl-C does
    with tempfile.TemporaryDirectory(prefix="rnncodec-slurm-") as folder:
        Path(folder).chmod(0o755)
        with OwnSlurm(Path(folder)) as running:
            yield running
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """12 small pictures to train on and 2 to evaluate with, as overrides."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for k in range(14):
        rows, columns = np.mgrid[0:48, 0:64] / 8
        waves = np.stack([np.sin(rng.uniform(0, 3) * columns + rows) for _ in "rgb"], -1)
        pixels = 128 + 90 * waves + rng.normal(0, 6, (48, 64, 3))
        path = folder / ("eval" if k >= 12 else "train") / f"{k:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return f"data.root={folder / 'train'}", f"eval.root={folder / 'eval'}"
