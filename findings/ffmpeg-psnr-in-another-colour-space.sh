#!/usr/bin/env bash
# ffmpeg's PSNR of a JPEG is 5 dB above that of the very same pixels in a PNG.
#
# Guess: the psnr filter compares what both files show, in RGB since the reference is RGB, or it
#   refuses two pixel formats.
# Behaviour: where the pixel formats differ, one input is converted without a word; beside a JPEG,
#   in either order, both are compared in YCbCr. What the JPEG's subsampling lost counts less there,
#   and the average of three planes is another one. Decoded to PNG first, the same pixels are
#   compared in RGB.
# Why it matters: a codec that is decoded to a format in YCbCr seems decibels better than one that
#   is decoded to RGB.
# Output:
#   ffmpeg 9.0.2 in imageio-ffmpeg 0.8.1
#   test.jpg reference.png: y:33.463258 u:37.061981 v:37.106769, average 34.370544
#   reference.png test.jpg: y:33.463258 u:37.061981 v:37.106769, average 34.370544
#   test.png reference.png: r:29.221041 g:29.974804 b:28.663958, average 29.253692
#   NumPy, RGB: 29.25
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile imageio-ffmpeg==0.8.1 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import re
import subprocess

import imageio_ffmpeg
import numpy as np
from PIL import Image

y, x = np.mgrid[:256, :256]
waves = [90 * np.sin(x / (17 + 5 * c) + y / (29 - 6 * c)) for c in range(3)]
noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))
picture = np.clip(128 + np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
Image.fromarray(picture).save("reference.png")
Image.fromarray(picture).save("test.jpg", quality=30)
Image.open("test.jpg").save("test.png")
tool = imageio_ffmpeg.get_ffmpeg_exe()


def run(*arguments: str) -> str:
    command = [tool, "-hide_banner", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def psnr(first: str, second: str) -> float:
    said = run("-i", first, "-i", second, "-lavfi", "psnr", "-f", "null", "-")
    planes = re.search(r"PSNR (.*?) average:(\S+)", said)
    print(f"{first} {second}: {planes[1]}, average {planes[2]}")
    return float(planes[2])


version = subprocess.run([tool, "-version"], capture_output=True, text=True, check=True).stdout
release = re.search(r"version n?([\d.]+)", version)[1]
print("ffmpeg", release, "in imageio-ffmpeg", imageio_ffmpeg.__version__)
as_jpeg, turned = psnr("test.jpg", "reference.png"), psnr("reference.png", "test.jpg")
as_png = psnr("test.png", "reference.png")
error = np.square(np.asarray(Image.open("test.png"), float) - picture).mean()
print(f"NumPy, RGB: {10 * np.log10(255**2 / error):.2f}")
assert as_jpeg - as_png > 2, "both are measured alike now"
assert turned == as_jpeg
PY
