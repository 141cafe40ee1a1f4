import itertools
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from rnncodec.data.crops import Crops
from rnncodec.data.photos import FolderPhotos, SkippedImages
from rnncodec.data.random_crop import RandomCrop
from rnncodec.data.resumable import CropLoader, InfiniteBatches, start_worker
from rnncodec.errors import DataError


def coordinates(width: int, height: int, blue: int) -> np.ndarray:
    """An image whose red is x and green is y, so that a crop tells where it came from."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, blue)], axis=2).astype(np.uint8)


def crops_of(folder: Path, *sizes: tuple[int, int], seed: int = 0) -> Crops:
    for number, size in enumerate(sizes):
        Image.fromarray(coordinates(*size, number)).save(folder / f"{number:03d}.png")
    return Crops(FolderPhotos(folder), sizes, RandomCrop(16, seed))


def loader_of(crops: Crops, workers: int = 0, position: int = 0) -> CropLoader:
    unusable = SkippedImages(len(crops.photos), "the test")
    return CropLoader(crops, InfiniteBatches(lambda: position, 4), unusable, num_workers=workers)


def first(loader: CropLoader, count: int) -> list[dict]:
    return list(itertools.islice(loader, count))


def test_crop_is_a_window_of_its_photograph_or_its_mirror_image(tmp_path: Path):
    crops = crops_of(tmp_path, (40, 24), (20, 60))
    mirrored = 0
    for index in range(60):
        image = crops[index].image.astype(int)
        assert image.shape == (16, 16, 3)
        step = image[0, 1, 0] - image[0, 0, 0]
        mirrored += step == -1
        np.testing.assert_array_equal(np.diff(image[:, :, 0], axis=1), step)
        np.testing.assert_array_equal(np.diff(image[:, :, 1], axis=0), 1)
        assert np.ptp(image[:, :, 2]) == 0
    assert 15 < mirrored < 45


def test_sample_depends_on_seed_and_index_alone(tmp_path: Path):
    crops = crops_of(tmp_path, (40, 24), (20, 60))
    forwards = [crops[i].image for i in range(20)]
    other = pickle.loads(pickle.dumps(crops))
    backwards = [other[i].image for i in reversed(range(20))][::-1]
    np.testing.assert_array_equal(forwards, backwards)
    reseeded = Crops(crops.photos, [(40, 24), (20, 60)], RandomCrop(16, 1))
    assert any((reseeded[i].image != forwards[i]).any() for i in range(20))


def test_every_crop_position_is_equally_likely(tmp_path: Path):
    crops = crops_of(tmp_path, (18, 17), (16, 19))  # 3 x 2 and 1 x 4 positions
    counts: dict[tuple[int, ...], int] = {}
    for index in range(4000):
        image = crops[index].image
        key = (int(image[0, 0, 2]), int(image[:, :, 1].min()), int(image[:, :, 0].min()))
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 10
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_batches_of_all_ranks_make_up_the_global_batch():
    whole = InfiniteBatches(lambda: 24, 6)
    parts = [InfiniteBatches(lambda: 24, 6, rank=rank, ranks=3) for rank in range(3)]
    for expected, *shares in itertools.islice(zip(whole, *parts, strict=True), 4):
        assert list(itertools.chain(*shares)) == expected
    assert next(iter(whole)) == [24, 25, 26, 27, 28, 29]


def test_position_is_asked_whenever_iteration_starts():
    positions = iter([0, 8])
    batches = InfiniteBatches(lambda: next(positions), 2)
    assert next(iter(batches)) == [0, 1]
    assert next(iter(batches)) == [8, 9]


def test_batch_holds_the_samples_as_planes(tmp_path: Path):
    crops = crops_of(tmp_path, (40, 24))
    batch = first(loader_of(crops, position=8), 1)[0]
    assert batch.keys() == {"image", "index"}
    assert batch["image"].dtype == torch.uint8
    assert batch["index"].tolist() == [8, 9, 10, 11]
    for row, index in enumerate(batch["index"].tolist()):
        np.testing.assert_array_equal(
            batch["image"][row].numpy(), crops[index].image.transpose(2, 0, 1)
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_same_batches_for_any_number_of_workers(tmp_path: Path, workers: int):
    crops = crops_of(tmp_path, (40, 24), (20, 60))
    expected = first(loader_of(crops), 5)
    for batch, reference in zip(first(loader_of(crops, workers), 5), expected, strict=True):
        assert torch.equal(batch["index"], reference["index"])
        assert torch.equal(batch["image"], reference["image"])


def test_global_generator_is_left_alone(tmp_path: Path):
    loader = loader_of(crops_of(tmp_path, (40, 24)))
    before = torch.get_rng_state()
    first(loader, 2)
    assert torch.equal(torch.get_rng_state(), before)


def hundred_with_one_cut(folder: Path) -> Crops:
    sizes = [(20, 20)] * 100
    crops = crops_of(folder, *sizes)
    path = folder / "041.png"
    path.write_bytes(path.read_bytes()[:-30])
    return crops


def test_next_photograph_stands_in_for_a_damaged_one(tmp_path: Path):
    crops = hundred_with_one_cut(tmp_path)
    affected = [i for i in range(400) if crops[i].failed]
    assert affected
    assert all(crops[i].image[0, 0, 2] == 42 for i in affected)
    assert all(crops[i].failed.keys() == {"041.png"} for i in affected)
    fresh = pickle.loads(pickle.dumps(hundred_with_one_cut(tmp_path)))
    np.testing.assert_array_equal(fresh[affected[-1]].image, crops[affected[-1]].image)


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_photograph_is_logged_once(tmp_path: Path, caplog, workers: int):
    loader = loader_of(hundred_with_one_cut(tmp_path), workers)
    first(loader, 100)
    assert len(caplog.messages) == 1
    assert "skipping 041.png (1 of 100): cannot read image" in caplog.messages[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_damaged_photographs_end_the_run(tmp_path: Path, workers: int):
    crops = crops_of(tmp_path, (20, 20), (20, 20))
    for name in ("000.png", "001.png"):
        (tmp_path / name).write_bytes(b"gone")
    loader = loader_of(crops, workers)
    with pytest.raises(DataError, match=r"^2 of 2 images of the test .*000\.png"):
        first(loader, 1)


def test_header_that_promises_more_than_the_pixels(tmp_path: Path):
    crops = crops_of(tmp_path, (20, 20))
    Image.fromarray(coordinates(8, 8, 0)).save(tmp_path / "000.png")
    sample = crops[0]
    assert sample.image is None
    assert "fewer pixels" in sample.failed["000.png"]


SIGNALS = ("SIGINT", "SIGUSR1", "SIGUSR2")


def start_and_wait(ready: Connection) -> None:
    start_worker(0)
    ignored = all(signal.getsignal(getattr(signal, n)) == signal.SIG_IGN for n in SIGNALS)
    ready.send((ignored, torch.get_num_threads()))
    time.sleep(60)


@pytest.fixture
def worker() -> Iterator[tuple[BaseProcess, Connection]]:
    """A process that has started as loader workers do, and what it says of itself."""
    context = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=start_and_wait, args=(there,), daemon=True)
    process.start()
    there.close()
    yield process, here
    process.kill()
    process.join()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="no such signals on Windows")
@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_workers_ignore_the_signals_meant_for_the_main_process(
    worker: tuple[BaseProcess, Connection],
) -> None:
    assert worker[1].recv() == (True, 1)


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="it does not say who sent it")
@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_workers_end_only_when_the_main_process_tells_them(
    worker: tuple[BaseProcess, Connection],
) -> None:
    process, ready = worker
    ready.recv()
    subprocess.run(["sh", "-c", f"kill -s TERM {process.pid}"], check=True)
    process.join(0.5)
    assert process.is_alive()
    process.terminate()
    process.join(10)
    assert process.exitcode == 0
