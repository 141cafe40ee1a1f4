#!/usr/bin/env bash
# torchmetrics merges two metrics of a collection if the first batch gave them equal states.
#
# Guess: metrics with other arguments stay apart: each gives in a MetricCollection what it gives
#   alone.
# Behaviour: after the first batch, metrics whose states are equal are put into one group, and from
#   then on only the first of a group is updated; the others take its state. SSIM with
#   data_range=255 is then SSIM with data_range=1, PSNR that clamps is PSNR that does not.
# Why it matters: a first batch that is coded without error, or is constant, is enough. All later
#   figures of one of the two are those of the other. compute_groups=False keeps them apart.
# Output:
#   torch 2.13.0 torchmetrics 1.9.0
#   psnr: in a collection 8.978, alone 8.978
#   psnr_clamped: in a collection 8.978, alone 12.079
#   ssim: in a collection 0.690, alone 0.690
#   ssim_255: in a collection 0.690, alone 0.997
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
import torchmetrics
from torchmetrics import MetricCollection
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

print("torch", torch.__version__.split("+")[0], "torchmetrics", torchmetrics.__version__)


def metrics() -> dict[str, torchmetrics.Metric]:
    return {
        "psnr": PeakSignalNoiseRatio(data_range=1.0),
        "psnr_clamped": PeakSignalNoiseRatio(data_range=(0.0, 1.0)),
        "ssim": StructuralSimilarityIndexMeasure(data_range=1.0),
        "ssim_255": StructuralSimilarityIndexMeasure(data_range=255.0),
    }


torch.manual_seed(0)
first = torch.rand(1, 3, 32, 32)
second = torch.rand(1, 3, 32, 32)
batches = [(first, first), (second + 0.5 * torch.randn_like(second), second)]
together, alone = MetricCollection(metrics()), metrics()
for test, reference in batches:
    together.update(test, reference)
    for metric in alone.values():
        metric.update(test, reference)
found = {name: value.item() for name, value in together.compute().items()}
for name, metric in alone.items():
    print(f"{name}: in a collection {found[name]:.3f}, alone {metric.compute():.3f}")
assert abs(found["psnr_clamped"] - alone["psnr_clamped"].compute()) > 1, "each is its own now"
assert abs(found["ssim_255"] - alone["ssim_255"].compute()) > 0.01, "each is its own now"
PY
