import json
from pathlib import Path

from rnncodec.prepare.ledger import Begin, Ledger
from rnncodec.prepare.manifest import write_lists
from rnncodec.prepare.worker import Outcome


def test_lists_and_counts(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.note(Outcome(0, "a", hash=1, tiles=5, noticed=("border",)))
        ledger.note(Outcome(1, "b", rejected="damaged", reason="empty"))
        ledger.note(Outcome(2, "c", hash=2, held_out=True))
        ledger.commit(None, Begin(3))
        counts = write_lists(ledger)
    assert counts == {
        **{"images": 3, "used": 1, "held_out": 1, "tiles": 5},
        **{"rejected": {"damaged": 1}, "noticed": {"border": 1}},
    }
    assert json.loads((tmp_path / "rejected.jsonl").read_text()) == {
        **{"image": 1, "name": "b", "rejected": "damaged", "reason": "empty"},
    }
    assert len((tmp_path / "images.jsonl").read_text().splitlines()) == 3
