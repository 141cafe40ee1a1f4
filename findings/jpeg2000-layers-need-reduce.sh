#!/usr/bin/env bash
# Pillow's `layers` of a JPEG 2000 file does nothing unless `reduce` is set too.
#
# Guess: image.layers = 1 decodes the first quality layer, at full size.
# Behaviour: at full size the attribute is accepted and ignored: all layers are decoded. Only with
#   image.reduce above 0, that is at half the size or less, it does what it says.
# Why it matters: JPEG 2000 as a progressive rival, decoded layer by layer, seems to have its full
#   quality from the first layer on: a curve far above the truth.
# Output:
#   pillow 13.0.0 openjpeg 2.5.4
#   reduce=0: 1, 2, 3 layers against all of them: [inf, inf, inf] dB
#   reduce=1: 1, 2, 3 layers against all of them: [21.7, 36.8, inf] dB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import io

import numpy as np
import PIL
from PIL import Image, features

print("pillow", PIL.__version__, "openjpeg", features.version("jpg_2000"))
y, x = np.mgrid[:256, :256]
noise = np.random.default_rng(0).normal(0, 12, (256, 256, 3))
picture = np.clip(128 + 60 * np.sin(x / 17 + y / 29)[..., None] + noise, 0, 255).astype(np.uint8)
file = io.BytesIO()
Image.fromarray(picture).save(
    file, "JPEG2000", quality_mode="dB", quality_layers=[20, 30, 40], irreversible=True, mct=1
)


def decode(layers: int, reduce: int) -> np.ndarray:
    image = Image.open(io.BytesIO(file.getvalue()))
    image.layers = layers
    if reduce:
        image.reduce = reduce
    return np.asarray(image, dtype=float)


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    error = np.square(picture - reference).mean()
    return 10 * np.log10(255**2 / error) if error else np.inf


for reduce in (0, 1):
    full = decode(0, reduce)
    distances = [round(float(psnr(decode(layers, reduce), full)), 1) for layers in (1, 2, 3)]
    print(f"reduce={reduce}: 1, 2, 3 layers against all of them: {distances} dB")
    assert np.isinf(distances[0]) == (reduce == 0), "layers count without reduce now"
PY
