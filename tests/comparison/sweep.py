"""Run folders as training leaves them, with made-up figures."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tests.evaluation.synthetic import codec

from rnncodec.evaluation.results import Result, write_results

RATES = tuple(k / 8 for k in range(1, 17))
WEIGHTS = {"network.a": np.zeros((3, 5), np.float32), "entropy.b": np.zeros(7, np.int32)}


def make_run(
    folder: Path,
    *,
    gain: float = 0.0,
    rates: Sequence[float] = RATES,
    score: float | None = 0.5,
    metric: str | None = None,
    results: Sequence[Result] | None = None,
    cell_settings: dict[str, object] | None = None,
    entropy_settings: dict[str, object] | None = None,
    **settings: object,
) -> Path:
    """A finished run whose quality is ``gain`` dB over the others'."""
    parts = {"cell": "gru", "recon": "additive", "entropy": "none", "seed": 0} | settings
    start(folder)
    entropy = None if parts["entropy"] == "none" else {"name": parts["entropy"]}
    noted = {**parts, "cell": cell_settings or parts["cell"], "logger": {"save_dir": str(folder)}}
    description = {
        "format": 1,
        "network": {part: {"name": parts[part]} for part in ("cell", "recon")},
        "entropy": entropy,
        "notes": {
            "settings": noted,
            "score": score,
            "score_metric": metric,
            "entropy": {"settings": entropy_settings} if entropy_settings else None,
        },
    }
    save_file(WEIGHTS, folder / "model.safetensors", {"rnncodec": json.dumps(description)})
    summary = {} if entropy is None else {"entropy": {"gain_over_raw_bits": 0.125}}
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "summary.json").write_text(json.dumps(summary))
    rows = codec("this run", rates, gain=gain, ours=True) if results is None else results
    write_results(folder / "evaluation" / "results.csv", [replace(row) for row in rows])
    return folder


def start(folder: Path) -> Path:
    """A run that has only begun."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text("seed: 0\n")
    return folder
