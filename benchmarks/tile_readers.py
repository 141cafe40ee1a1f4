"""Do `datasets` and `webdataset` read tiles as exactly as `rnncodec.data` does?

python benchmarks/tile_readers.py TILES   (a folder that `rnncodec prepare` wrote; not in parts)

Each reader goes once through the set, shuffled, on several devices with two loader processes each;
stops after a third of it and resumes; and is timed. See docs/experiments/0026-*.md.
"""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import torch
import webdataset
from datasets.distributed import split_dataset_by_node
from torch.utils.data import DataLoader, Dataset

from rnncodec.data.tile_order import Order
from rnncodec.data.tile_sets import TileSet

WORKERS, BUFFER, SEED = 2, 1000, 0
DEVICES = (1, 2, 3)


class Ours(Dataset[bytes]):
    """Tile by global sample index, as `data=tiles` reads it."""

    def __init__(self, root: Path) -> None:
        self.tiles = TileSet(root)
        self.order = Order(len(self.tiles), window=8, seed=SEED)

    def __getitem__(self, index: int) -> bytes:
        return self.tiles.load(self.order.tile(index)).tobytes()


def identity(example: dict[str, Any]) -> bytes:
    """A tile's pixels."""
    return np.asarray(example["ppm"].convert("RGB")).tobytes()


def same(example: Any) -> Any:
    """No collating."""
    return example


def loaded(examples: Any, **more: Any) -> Iterator[Any]:
    """What a DataLoader with worker processes hands over, one by one."""
    return iter(
        DataLoader(examples, batch_size=None, num_workers=WORKERS, collate_fn=same, **more)
    )


def ours(root: Path, device: int, devices: int) -> Iterator[bytes]:
    """One device's share of a pass."""
    examples = Ours(root)
    indices = range(device, len(examples.tiles), devices)
    return loaded(examples, sampler=indices)


def streamed(root: Path) -> datasets.IterableDataset:
    """The set as a shuffled streaming data set."""
    files = {"train": sorted(map(str, root.glob("shard-*.tar")))}
    opened = datasets.load_dataset("webdataset", data_files=files, streaming=True, split="train")
    return opened.shuffle(seed=SEED, buffer_size=BUFFER)


def by_datasets(root: Path, device: int, devices: int) -> Iterator[bytes]:
    """One device's share of a pass."""
    return map(identity, loaded(split_dataset_by_node(streamed(root), device, devices)))


def pipeline(root: Path, device: int, devices: int) -> webdataset.DataPipeline:
    """WebDataset's usual pipeline."""
    return webdataset.DataPipeline(
        webdataset.SimpleShardList(sorted(map(str, root.glob("shard-*.tar")))),
        webdataset.detshuffle(100, seed=SEED),
        lambda urls: itertools.islice(urls, device, None, devices),  # split_by_node wants a group
        webdataset.split_by_worker,
        webdataset.tarfile_to_samples(),
        webdataset.detshuffle(BUFFER, seed=SEED),
        webdataset.decode("pil"),
    )


def by_webdataset(root: Path, device: int, devices: int) -> Iterator[bytes]:
    """One device's share of a pass."""
    return map(identity, loaded(pipeline(root, device, devices)))


READERS = {"rnncodec": ours, "datasets": by_datasets, "webdataset": by_webdataset}


def one_pass(root: Path, reader: str, wanted: Counter[bytes], devices: int) -> str:
    """How many tiles are missing or come twice where devices stop together, as training must."""
    shares = [list(READERS[reader](root, device, devices)) for device in range(devices)]
    steps = min(map(len, shares))
    seen = Counter(itertools.chain.from_iterable(shares))
    first = Counter(itertools.chain.from_iterable(share[:steps] for share in shares))
    twice = (seen - wanted).total()
    return f"missing {(wanted - first).total()}, twice {twice}, tiles a device {shares_of(shares)}"


def shares_of(shares: Iterable[list[bytes]]) -> str:
    """Lengths, as 10+10."""
    return "+".join(str(len(share)) for share in shares)


def resumed(root: Path, reader: str, wanted: Counter[bytes]) -> str:
    """Stop after a third in one process, resume, and compare with an undisturbed pass."""
    third = wanted.total() // 3
    if reader == "webdataset":
        return "no state"
    if reader == "rnncodec":
        whole, again = Ours(root), Ours(root)
        undisturbed = [whole[index] for index in range(wanted.total())]
        after = [again[index] for index in range(third, wanted.total())]
    else:
        stream = streamed(root)
        undisturbed = [identity(example) for example in stream]
        before = itertools.islice(iter(stream), third)
        assert sum(1 for _ in before) == third
        state, again_stream = stream.state_dict(), streamed(root)
        again_stream.load_state_dict(state)
        after = [identity(example) for example in again_stream]
    rest = undisturbed[third:]
    equal = sum(one == other for one, other in zip(rest, after, strict=False))
    lost = (Counter(rest) - Counter(after)).total()
    return f"{equal} of {len(rest)} tiles at their place, {lost} lost"


def speed(root: Path, reader: str) -> str:
    """Tiles a second of processor time, in one process."""
    start = time.process_time()
    if reader == "rnncodec":
        examples = Ours(root)
        count = sum(1 for index in range(len(examples.tiles)) if examples[index])
    elif reader == "datasets":
        count = sum(1 for example in streamed(root) if identity(example))
    else:
        count = sum(1 for example in pipeline(root, 0, 1) if identity(cast(Any, example)))
    return f"{count / (time.process_time() - start):,.0f} tiles/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tiles", type=Path)
    root = parser.parse_args().tiles
    torch.set_num_threads(1)
    every = Ours(root)
    wanted = Counter(every.tiles.load(number).tobytes() for number in range(len(every.tiles)))
    print(f"{len(every.tiles):,} tiles in {len(every.tiles.shards)} shards")
    for reader in READERS:
        for devices in DEVICES:
            print(reader, f"{devices} x {WORKERS}:", one_pass(root, reader, wanted, devices))
        print(reader, "resumed:", resumed(root, reader, wanted), "|", speed(root, reader))


if __name__ == "__main__":
    main()
