from pathlib import Path

import pytest

from rnncodec.errors import StorageError
from rnncodec.prepare import listing
from rnncodec.prepare.listing import (
    Entry,
    length_and_hash,
    read_listing,
    sorted_lines,
    write_listing,
)


def test_entries_come_back_with_their_numbers(tmp_path: Path):
    entries = [Entry(f"caf\udce9 {n}\n.jpg", "a.tar", n, 9) for n in range(7)]
    write_listing(tmp_path / "l", entries)
    assert [e for _, e in read_listing(tmp_path / "l", (0, 1))] == entries
    parts = [list(read_listing(tmp_path / "l", (k, 3))) for k in range(3)]
    assert sorted(number for part in parts for number, _ in part) == list(range(7))
    assert parts[1] == [(1, entries[1]), (4, entries[4])]
    assert length_and_hash(tmp_path / "l")[0] == 7


@pytest.mark.parametrize("count", [0, 1, 9, 10, 35])
def test_sorting_in_runs_equals_sorting_at_once(monkeypatch, count: int):
    monkeypatch.setattr(listing, "SORTED_TOGETHER", 10)
    lines = [f"{(n * 7919) % 101:03d}" for n in range(count)]
    assert list(sorted_lines(iter(lines))) == sorted(lines)


def test_a_damaged_listing(tmp_path: Path):
    (tmp_path / "l").write_text("[1\n")
    with pytest.raises(StorageError, match="remove all that was prepared there, then repeat"):
        list(read_listing(tmp_path / "l", (0, 1)))
