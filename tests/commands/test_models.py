"""`rnncodec models`: the list, its JSON, and none."""

import json
import shutil
from pathlib import Path

from rnncodec import models
from rnncodec.commands.models import format_value


def test_the_list(command, tiny, tmp_path: Path) -> None:
    packaged = models.WEIGHTS
    packaged.mkdir()
    shutil.copy(tmp_path / "shelf" / "tiny.safetensors", packaged / "compact-3.safetensors")
    (packaged / models.RELEASES).write_text('{"compact-1": "01", "compact-3": "03"}')
    done = command("models")
    head, first, second, alias, earlier = done.out.splitlines()
    assert head.split()[:3] == ["NAME", "BYTES", "ITERATIONS"]
    size = f"{(packaged / 'compact-3.safetensors').stat().st_size:,}"
    values = ["3", "gru", "0.125", "progressive", "0.25", tiny.fingerprint.hex()]
    assert first.split() == ["compact-3", size, *values, "packaged"]
    assert second.split()[0] == "tiny"
    assert alias == "compact = compact-3"
    assert earlier == "earlier releases, not here: compact-1"


def test_for_machines(command, tiny) -> None:
    found = json.loads(command("models", "--json").out)
    assert (found["name"], found["fingerprint"]) == ("tiny", tiny.fingerprint.hex())


def test_none(command, tiny, monkeypatch) -> None:
    monkeypatch.delenv(models.VARIABLE)
    done = command("models")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no models: none is packaged, and RNNCODEC_MODELS names none")


def test_a_damaged_one_is_passed_over_aloud(command, tiny, tmp_path: Path) -> None:
    (tmp_path / "shelf" / "bad.safetensors").write_bytes(b"bad")
    done = command("models", "--json")
    assert done.code == 0
    assert "passed over" in done.err
    assert done.out.count("\n") == 1


def test_scores_of_another_metric_have_a_unit() -> None:
    item = {"score": 7.96, "score_metric": "psnr_rgb"}
    assert format_value(item, "score") == "7.96 dB"
    assert format_value({"score": 0.1356, "score_metric": "ms_ssim"}, "score") == "0.1356"
