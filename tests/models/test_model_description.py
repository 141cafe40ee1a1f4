"""A description is read without weights and without torch."""

import subprocess
import sys
from pathlib import Path

from rnncodec.codec import Codec
from rnncodec.models.model_description import parameter_counts, read_description


def test_what_it_holds(tiny: Codec, tmp_path: Path) -> None:
    description = read_description(tmp_path / "shelf" / "tiny.safetensors")
    assert description["network"] == tiny.model.network.config
    assert description["fingerprint"] == tiny.fingerprint.hex()
    assert description["notes"]["step"] == 7


def test_parameters_are_counted_by_part(tiny: Codec, tmp_path: Path) -> None:
    counts = parameter_counts(tmp_path / "shelf" / "tiny.safetensors")
    network = sum(tensor.numel() for tensor in tiny.model.network.state_dict().values())
    assert tiny.model.entropy is not None
    _, integers = tiny.model.entropy.state()
    entropy = sum(tensor.numel() for tensor in integers.values())
    assert counts == {"network": network, "entropy": entropy}


def test_needs_no_torch(tiny: Codec, tmp_path: Path) -> None:
    program = (
        "import sys; from rnncodec import models\n"
        "print([models.fingerprint_of(p).hex() for p in models.files() if p.stem == 'tiny'])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [f"['{tiny.fingerprint.hex()}']", "False"]
