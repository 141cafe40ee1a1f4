import pickle
from pathlib import Path

import datasets
import pytest

from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.extractor import Task, Thresholds, TileExtractor
from rnncodec.prepare.hugging_face import HuggingFace
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Source, find_source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets


def entries(source: Source) -> list[Entry]:
    return [entry for item in source.items() for entry in source.entries(item)]


def test_hugging_face_rows(tmp_path: Path):
    rows = {"label": [3, 4], "photo": [{"path": None, "bytes": b"one"}, None]}
    features = datasets.Features({"label": datasets.Value("int64"), "photo": datasets.Image()})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "set")
    source = pickle.loads(pickle.dumps(find_source(f"hf:{tmp_path / 'set'}")))
    first, second = entries(source)
    assert source.open(first).read() == b"one"
    assert first.name == "000000000"
    with pytest.raises(DataError, match="row 1 has no picture"):
        source.open(second)


def test_hugging_face_rows_without_pictures(tmp_path: Path):
    datasets.Dataset.from_dict({"x": [1]}).save_to_disk(tmp_path / "set")
    with pytest.raises(ConfigError, match="no column of pictures, only x"):
        find_source(f"hf:{tmp_path / 'set'}").describe()


def photos(folder: Path, split: str | None) -> str:
    """A data set of one picture, that of a split, as `save_to_disk` writes it."""
    features = datasets.Features({"photo": datasets.Image()})
    rows = {"photo": [{"path": None, "bytes": b"one"}]}
    datasets.Dataset.from_dict(rows, features=features, split=split).save_to_disk(folder)
    return f"hf:{folder}"


def test_the_split_of_a_folder_is_the_one_that_was_written(tmp_path: Path):
    text = photos(tmp_path / "set", "test")
    for source in (find_source(text), find_source(f"{text}@test")):
        assert source.describe()["split"] == "test"
        assert [item.place for item in source.items()] == ["test"]
    with pytest.raises(DataError, match=r"@train: this folder holds one split, test; leave out"):
        find_source(f"{text}@train").describe()


def test_a_split_of_a_folder_that_names_none(tmp_path: Path):
    text = photos(tmp_path / "set", None)
    assert find_source(text).describe()["split"] == "train"
    with pytest.raises(DataError, match=r"holds one split, train; leave out @test"):
        find_source(f"{text}@test").describe()


@pytest.mark.parametrize("kind", [OSError, ValueError, KeyError, TypeError, NotImplementedError])
def test_a_damaged_row_is_an_image_like_any_other(kind: type[Exception]):
    """Arrow's errors are of these kinds; they must not end the run."""

    class Rows:
        def __getitem__(self, row: int) -> None:
            raise kind("Invalid: buffer 3 is damaged")

    source = HuggingFace("set", _rows=(Rows(), "photo"))
    done = TileExtractor(source, Settings())(Task(0, Entry("000000007", "", 7), Thresholds(0, 0)))
    assert done.rejected == "damaged"
    assert done.reason.startswith("cannot read row 7: ")
    assert "buffer 3 is damaged" in done.reason
