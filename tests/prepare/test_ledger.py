import json
from pathlib import Path

import pytest

from rnncodec.errors import ConfigError, StorageError
from rnncodec.prepare.ledger import Begin, Ledger, Shard, refuse_other
from rnncodec.prepare.worker import Outcome

SHARD = Shard("shard-000000.tar", 16, 17408, "00")


def test_what_was_committed_is_taken_up_and_the_rest_is_not(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.note(Outcome(0, "a"))
        ledger.commit(SHARD, Begin(1))
        ledger.note(Outcome(1, "b"))
    with Ledger(tmp_path) as again:
        assert [fact["name"] for fact in again.resume()] == ["a"]
        assert (again.shards, again.begin) == ([SHARD], Begin(1))
        again.note(Outcome(1, "b"))
        again.commit(None, Begin(2))
        assert [fact["name"] for fact in again.images()] == ["a", "b"]
    with Ledger(tmp_path) as last:
        assert len(list(last.resume())) == 2
        assert (last.shards, last.begin) == ([SHARD], Begin(2))


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
    with Ledger(tmp_path):
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
    with Ledger(tmp_path) as ledger:
        ledger.check({"settings": {}})
        ledger.commit(None, Begin(0))
        ledger.remove()
    assert list((tmp_path / "work").iterdir()) == [mine]


@pytest.mark.parametrize("length", [3, 100_000])
def test_a_full_disk_is_told(tmp_path: Path, length: int):
    """Whether it is noticed while noting, or when a file is closed."""
    with Ledger(tmp_path) as ledger:
        (tmp_path / "work" / "current").symlink_to("/dev/full")
        with pytest.raises(StorageError, match=r"work: could not be written \(No space left"):
            fill(ledger, "a" * length)


def fill(ledger: Ledger, name: str) -> None:
    ledger.note(Outcome(0, name))
    ledger.commit(None, Begin(1))
