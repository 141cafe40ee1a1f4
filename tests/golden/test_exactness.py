"""The same bytes and codes under other threads, instruction sets, batches and arithmetic."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "exactness.py"


def test_two_settings_agree(tmp_path: Path) -> None:
    result = tmp_path / "exactness.json"
    command = [sys.executable, SCRIPT, "--quick", "--output", result, "tests/golden/pixel.png"]
    subprocess.run([*command, "tests/golden/rgb.png"], cwd=ROOT, check=True, capture_output=True)
    found = json.loads(result.read_text())
    kinds = [f"image {k}, {kind}" for k in (0, 1) for kind in ("binary_rnn", "progressive")]
    assert found["equal"] == dict.fromkeys(kinds, True)
    assert {run["capability"] for run in found["runs"]} >= {"DEFAULT"}
    assert {run["threads"] for run in found["runs"]} == {1, 2}
    assert all(len(run["hashes"]) == len(kinds) * 4 for run in found["runs"])


def test_one_run_that_differs_is_noticed(monkeypatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("exactness", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    same = {"hashes": {"image 0, a, float32, batch 1": ["p", "b", "c"]}}
    other = {"hashes": {"image 0, a, float64, batch 4": ["p", "x", "c"]}}
    assert module.compare_exact([same, same]) == {"image 0, a": True}
    assert module.compare_exact([same, other]) == {"image 0, a": False}
