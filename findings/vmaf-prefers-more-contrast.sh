#!/usr/bin/env bash
# VMAF gives a still picture with itself 97.4, and the same with more contrast 100.
#
# Guess: a picture with itself has the highest score, 100; one with its contrast changed has less.
# Behaviour: without motion, identical pictures get 97.43: one feature is motion, and the model's
#   sum then stays below 100. With contrast raised by a tenth (PSNR near 35 dB) it is 100.
# Why it matters: figures of stills have another ceiling than those of film, and a codec or a
#   filter after it that exaggerates contrast scores above the truth. The model without enhancement
#   gain (vmaf_v0.6.1neg) is for that.
# Output:
#   ffmpeg 9.0.2 in imageio-ffmpeg 0.8.1
#   vmaf_v0.6.1: itself 97.43, contrast * 1.1 100.00
#   vmaf_v0.6.1neg: itself 97.43, contrast * 1.1 91.32
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
from PIL import Image, ImageEnhance

y, x = np.mgrid[:256, :384]
waves = [60 * np.sin(x / (17 + 5 * c) + y / (29 - 6 * c)) for c in range(3)]
noise = np.random.default_rng(0).normal(0, 8, (256, 384, 3))
picture = Image.fromarray((128 + np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8))
picture.save("reference.png")
ImageEnhance.Contrast(picture).enhance(1.1).save("contrast.png")
tool = imageio_ffmpeg.get_ffmpeg_exe()


def vmaf(test: str, model: str) -> float:
    command = [tool, "-hide_banner", "-i", test, "-i", "reference.png", "-lavfi"]
    command += [f"libvmaf=model=version={model}", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.search(r"VMAF score: (\S+)", said)[1])


version = subprocess.run([tool, "-version"], capture_output=True, text=True, check=True).stdout
release = re.search(r"version n?([\d.]+)", version)[1]
print("ffmpeg", release, "in imageio-ffmpeg", imageio_ffmpeg.__version__)
scores = {}
for model in ("vmaf_v0.6.1", "vmaf_v0.6.1neg"):
    scores[model] = vmaf("reference.png", model), vmaf("contrast.png", model)
    print(f"{model}: itself {scores[model][0]:.2f}, contrast * 1.1 {scores[model][1]:.2f}")
itself, contrast = scores["vmaf_v0.6.1"]
assert 97 < itself < 98, "a picture with itself has another score now"
assert contrast > itself + 1, "more contrast does not score higher now"
PY
