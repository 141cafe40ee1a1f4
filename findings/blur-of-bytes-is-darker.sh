#!/usr/bin/env bash
# scipy's blur of a uint8 picture is one grey level darker.
#
# Guess: the result is uint8 as the input is, and rounded: the mean stays.
# Behaviour: a separable filter is one pass per axis, and each pass cuts its fractions off instead
#   of rounding: half a level is lost per axis, about one level in two dimensions.
# Why it matters: local means for an SSIM by hand, or a blurred reference, taken on uint8 are
#   biased by a level: blur float64, and round once.
# Output:
#   scipy 1.17.1 numpy 2.4.6
#   mean of the picture 127.523
#   gaussian_filter: mean 127.523 of float64, 126.523 of uint8, which is 5.1% right where it is rounded
#   uniform_filter: mean 127.523 of float64, 126.666 of uint8, which is 14.5% right where it is rounded
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import scipy
from scipy import ndimage

print("scipy", scipy.__version__, "numpy", np.__version__)
picture = np.random.default_rng(0).integers(0, 256, (512, 512)).astype(np.uint8)
print(f"mean of the picture {picture.mean():.3f}")
shifts = {}
for name, blur in (
    ("gaussian_filter", lambda p: ndimage.gaussian_filter(p, 1.5)),
    ("uniform_filter", lambda p: ndimage.uniform_filter(p, 7)),
):
    whole, real = blur(picture), blur(picture.astype(np.float64))
    shifts[name] = whole.mean() - real.mean()
    print(f"{name}: mean {real.mean():.3f} of float64, {whole.mean():.3f} of uint8", end=", ")
    print(f"which is {np.mean(whole == np.round(real)):.1%} right where it is rounded")
assert all(-1.1 < shift < -0.8 for shift in shifts.values()), f"the shift is another: {shifts}"
PY
