import json
from pathlib import Path

import pytest

from rnncodec.errors import ConfigError, StorageError
from rnncodec.prepare.extractor import Outcome
from rnncodec.prepare.journal import Cursor, Journal, Shard, refuse_other

SHARD = Shard("shard-000000.tar", 16, 17408, "00")


def test_what_was_committed_is_taken_up_and_the_rest_is_not(tmp_path: Path):
    with Journal(tmp_path) as journal:
        journal.append(Outcome(0, "a").record())
        journal.commit(SHARD, Cursor(1))
        journal.append(Outcome(1, "b").record())
    with Journal(tmp_path) as again:
        assert [fact["name"] for fact in again.replay()] == ["a"]
        assert (again.shards, again.cursor) == ([SHARD], Cursor(1))
        again.append(Outcome(1, "b").record())
        again.commit(None, Cursor(2))
        assert [fact["name"] for fact in again.images()] == ["a", "b"]
    with Journal(tmp_path) as last:
        assert len(list(last.replay())) == 2
        assert (last.shards, last.cursor) == ([SHARD], Cursor(2))


def test_left_overs_of_a_killed_process_go_and_other_files_stay(tmp_path: Path):
    (tmp_path / "validation").mkdir()
    left = [
        *(".shard-000003.tar.x1y2_x1y", ".manifest.json.abcdefgh", ".images.jsonl.abcdefgh"),
        *(".SHA256SUMS.q1234567", f"validation/.{'0' * 32}.png.abcdefgh"),
    ]
    mine = [
        ".gitignore",
        "README",
        "validation/.hidden",
        ".notes.json.backup",
        "raw/.a.json.12345678",
    ]
    (tmp_path / "raw").mkdir()
    for name in (*left, *mine):
        (tmp_path / name).touch()
    with Journal(tmp_path):
        pass
    assert not any((tmp_path / name).exists() for name in left)
    assert all((tmp_path / name).exists() for name in mine)


def test_a_difference_is_named_at_any_depth(tmp_path: Path):
    same = {"settings": {"mode": "all", "tile": 32}, "part": [0, 1]}
    refuse_other(json.loads(json.dumps(same)), same, tmp_path)
    with pytest.raises(ConfigError, match="made with tile=64, now it is 32"):
        refuse_other({"settings": {"mode": "all", "tile": 64}, "part": [0, 1]}, same, tmp_path)


def test_only_files_of_its_own_are_cleared_away(tmp_path: Path):
    (tmp_path / "work").mkdir()
    mine = tmp_path / "work" / "thesis.tex"
    mine.touch()
    with Journal(tmp_path) as journal:
        journal.check({"settings": {}})
        journal.commit(None, Cursor(0))
        journal.remove()
    assert list((tmp_path / "work").iterdir()) == [mine]


@pytest.mark.parametrize("length", [3, 100_000])
def test_a_full_disk_is_told(tmp_path: Path, length: int):
    """Whether it is noticed while noting, or when a file is closed."""
    with Journal(tmp_path) as journal:
        (tmp_path / "work" / "current").symlink_to("/dev/full")
        with pytest.raises(StorageError, match=r"work: could not be written \(No space left"):
            fill(journal, "a" * length)


def fill(journal: Journal, name: str) -> None:
    journal.append(Outcome(0, name).record())
    journal.commit(None, Cursor(1))
