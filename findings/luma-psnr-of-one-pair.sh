#!/usr/bin/env bash
# The PSNR of luma, of one pair of pictures, is over 1 dB apart between three libraries.
#
# Guess: luma is 0.299 R + 0.587 G + 0.114 B everywhere, so all agree to 0.1 dB; above all
#   OpenCV's RGB2YUV and RGB2YUV_I420, whose names differ in the subsampling of chroma alone.
# Behaviour: OpenCV's RGB2YUV_I420 and scikit-image's rgb2ycbcr give luma of 16 to 235, RGB2YUV and
#   Pillow of 0 to 255. With a peak of 255 for all, the narrow range gains 20 log10(255 / 219) =
#   1.3 dB. rgb2gray has the weights of another standard (BT.709).
# Why it matters: "PSNR-Y" says nothing without range and weights; differences between codecs are
#   often smaller.
# Output:
#   pillow 13.0.0 opencv 5.0.0 scikit-image 0.26.0
#   Pillow YCbCr: 33.98 dB (white is 255)
#   OpenCV RGB2YUV: 34.03 dB (white is 255)
#   OpenCV RGB2YUV_I420: 35.31 dB (white is 235)
#   scikit-image rgb2ycbcr: 35.36 dB (white is 235)
#   scikit-image rgb2gray: 33.10 dB (white is 255)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile pillow==13.0.0 opencv-python-headless==5.0.0.93 scikit-image==0.26.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import io

import cv2
import numpy as np
import PIL
import skimage
from PIL import Image
from skimage import color

print("pillow", PIL.__version__, "opencv", cv2.__version__, "scikit-image", skimage.__version__)
y, x = np.mgrid[:256, :256]
waves = [90 * np.sin(x / (17 + 5 * c) + y / (29 - 6 * c)) for c in range(3)]
noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))
picture = np.clip(128 + np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
file = io.BytesIO()
Image.fromarray(picture).save(file, "JPEG", quality=50)
decoded = np.asarray(Image.open(file))
ways = {
    "Pillow YCbCr": lambda p: np.asarray(Image.fromarray(p).convert("YCbCr"))[..., 0],
    "OpenCV RGB2YUV": lambda p: cv2.cvtColor(p, cv2.COLOR_RGB2YUV)[..., 0],
    "OpenCV RGB2YUV_I420": lambda p: cv2.cvtColor(p, cv2.COLOR_RGB2YUV_I420)[: p.shape[0]],
    "scikit-image rgb2ycbcr": lambda p: color.rgb2ycbcr(p)[..., 0],
    "scikit-image rgb2gray": lambda p: 255 * color.rgb2gray(p),
}
found = {}
for name, luma in ways.items():
    error = np.square(luma(picture).astype(float) - luma(decoded)).mean()
    found[name] = 10 * np.log10(255**2 / error)
    white = np.max(luma(np.full((2, 2, 3), 255, np.uint8)))
    print(f"{name}: {found[name]:.2f} dB (white is {white:.0f})")
gap = found["OpenCV RGB2YUV_I420"] - found["OpenCV RGB2YUV"]
assert gap > 0.8, f"the two of OpenCV agree better now: {gap:.2f} dB"
assert max(found.values()) - min(found.values()) > 1.2, "all agree better now"
PY
