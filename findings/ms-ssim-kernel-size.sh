#!/usr/bin/env bash
# kernel_size of torchmetrics' MS-SSIM changes which pictures are accepted, not the window.
#
# Guess: MS-SSIM with kernel_size=5 is measured with a window of 5 pixels, and so is SSIM.
# Behaviour: the window is made of sigma alone (11 pixels at 1.5) as long as it is Gaussian, as it is
#   unless gaussian_kernel=False. kernel_size changes only which pictures MS-SSIM refuses.
# Why it matters: small pictures, which are refused at 11, seem to be measured with a smaller window.
#   They are measured with the same one, which is larger than what is left at the last scale.
# Output:
#   torchmetrics 1.9.0
#   SSIM: kernel_size 3 0.945602, 5 0.945602, 11 0.945602
#   MS-SSIM: kernel_size 3 0.953069, 5 0.953069, 11 0.953069
#   MS-SSIM of 96x96: kernel_size 3 0.9453, 11 refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
import torchmetrics
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure as ms_ssim,
)
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

print("torchmetrics", torchmetrics.__version__)
generator = torch.Generator().manual_seed(0)
picture = torch.rand(1, 3, 192, 192, generator=generator)
noisy = (picture + 0.1 * torch.randn(picture.shape, generator=generator)).clamp(0, 1)
for name, measure in (("SSIM", ssim), ("MS-SSIM", ms_ssim)):
    found = {
        size: measure(noisy, picture, data_range=1.0, kernel_size=size).item()
        for size in (3, 5, 11)
    }
    print(f"{name}: kernel_size", ", ".join(f"{size} {value:.6f}" for size, value in found.items()))
    assert len(set(found.values())) == 1, "kernel_size is heeded now"
small = noisy[..., :96, :96], picture[..., :96, :96]
value = ms_ssim(*small, data_range=1.0, kernel_size=3).item()
try:
    ms_ssim(*small, data_range=1.0, kernel_size=11)
except ValueError:
    print(f"MS-SSIM of 96x96: kernel_size 3 {value:.4f}, 11 refused")
else:
    raise AssertionError("small pictures are measured now")
PY
