import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from rnncodec import models
from rnncodec.errors import ModelError
from rnncodec.models import model_file
from rnncodec.models.web_export import export_web

GOLDEN = Path("tests/golden/model.safetensors")


def test_the_decoder_and_the_entropy_model_are_kept_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "web.safetensors"
    assert export_web(GOLDEN, out) == out.stat().st_size < 0.6 * GOLDEN.stat().st_size
    with safe_open(GOLDEN, "pt") as whole, safe_open(out, "pt") as part:
        names = set(part.keys())
        left_out = set(whole.keys()) - names
        assert left_out
        assert all(name.startswith(model_file.ENCODER_ONLY) for name in left_out)
        assert all(torch.equal(whole.get_tensor(name), part.get_tensor(name)) for name in names)
        described = json.loads(part.metadata()["rnncodec"])
    assert described["fingerprint"] == model_file.load(GOLDEN).fingerprint().hex()
    assert models.fingerprint_of(out).hex() == described["fingerprint"]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no model")
    with pytest.raises(ModelError, match="not a model file"):
        export_web(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()
