#!/usr/bin/env bash
# MS-SSIM of pytorch-msssim jumps where a side is odd.
#
# Guess: one row more or less of a picture changes MS-SSIM in the fourth digit.
# Behaviour: where a side is odd at one of its scales, pytorch-msssim pads it with zeros on both
#   sides before it halves it: the smaller pictures have a dark frame, the same in both, and all is
#   shifted by a pixel. torchmetrics drops the last row instead, and hardly changes.
# Why it matters: two people with one test set in sides that are not multiples of 16 get figures
#   that are further apart than codecs are.
# Output:
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 pytorch-msssim==1.0.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import torch
from pytorch_msssim import ms_ssim
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

print(*(f"{name} {version(name)}" for name in ("pytorch-msssim", "torchmetrics")))
y, x = torch.meshgrid(torch.arange(272.0), torch.arange(272.0), indexing="ij")
waves = [torch.sin(x / (5 + 4 * c) + y / (19 - 5 * c)) for c in range(3)]
torch.manual_seed(0)
picture = (0.5 + 0.35 * torch.stack(waves))[None]
noisy = (picture + 0.1 * torch.randn(1, 3, 272, 272)).clamp(0, 1)
found = {}
for side in (256, 257, 271, 272):
    pair = noisy[..., :side, :side], picture[..., :side, :side]
    found[side] = ms_ssim(*pair, data_range=1.0).item()
    other = multiscale_structural_similarity_index_measure(*pair, data_range=1.0).item()
    print(f"{side}x{side}: pytorch-msssim {found[side]:.4f}, torchmetrics {other:.4f}")
    odd = side % 16 != 0
    assert (abs(found[side] - other) > 0.001) == odd, "odd sides are as even ones now"
PY
