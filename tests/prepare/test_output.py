import json
from pathlib import Path

from rnncodec.prepare.extractor import Outcome
from rnncodec.prepare.journal import Cursor, Journal
from rnncodec.prepare.output import write_lists


def test_lists_and_counts(tmp_path: Path):
    with Journal(tmp_path) as journal:
        journal.append(Outcome(0, "a", hash=1, tiles=5, noticed=("border",)).record())
        journal.append(Outcome(1, "b", rejected="damaged", reason="empty").record())
        journal.append(Outcome(2, "c", hash=2, held_out=True).record())
        journal.commit(None, Cursor(3))
        counts = write_lists(journal)
    assert counts == {
        **{"images": 3, "used": 1, "held_out": 1, "tiles": 5},
        **{"rejected": {"damaged": 1}, "noticed": {"border": 1}},
    }
    assert json.loads((tmp_path / "rejected.jsonl").read_text()) == {
        **{"image": 1, "name": "b", "rejected": "damaged", "reason": "empty"},
    }
    assert len((tmp_path / "images.jsonl").read_text().splitlines()) == 3
