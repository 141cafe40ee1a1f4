#!/usr/bin/env bash
# antialias=True changes what torch enlarges.
#
# Guess: antialiasing is for making pictures smaller; enlarged by F.interpolate they are the same
#   with it and without.
# Behaviour: bicubic, they differ by up to 20 grey levels: antialias=True is another cubic, that of
#   Pillow (a = -0.5); without it torch has that of OpenCV (a = -0.75). Bilinear, they are the same.
# Why it matters: "bicubic" of a decoder that enlarges, or of a baseline, is two filters, and which
#   one is chosen by a switch that looks as if it did nothing.
# Output:
#   torch 2.13.0
#   bilinear: with and without antialias differ by up to 0.00 grey levels
#   bicubic: with and without antialias differ by up to 19.91 grey levels
#     without, from Pillow's bicubic: up to 19.91
#     with, from Pillow's bicubic: up to 0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

print("torch", torch.__version__.split("+")[0])
generator = torch.Generator().manual_seed(0)
small = torch.randint(0, 256, (1, 1, 64, 64), generator=generator).float()
pillow = Image.fromarray(small[0, 0].numpy()).resize((128, 128), Image.Resampling.BICUBIC)
reference = torch.from_numpy(np.array(pillow))[None, None]
found = {}
for mode in ("bilinear", "bicubic"):
    plain, smooth = (
        interpolate(small, scale_factor=2.0, mode=mode, antialias=antialias)
        for antialias in (False, True)
    )
    found[mode] = (plain - smooth).abs().max().item()
    print(f"{mode}: with and without antialias differ by up to {found[mode]:.2f} grey levels")
    if mode == "bicubic":
        for name, value in (("without", plain), ("with", smooth)):
            print(f"  {name}, from Pillow's bicubic: up to {(value - reference).abs().max():.2f}")
assert found["bilinear"] < 0.01 and found["bicubic"] > 1, "enlarging is the same with both now"
PY
