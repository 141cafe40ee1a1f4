#!/usr/bin/env bash
# The mean of scikit-image's SSIM map is not its SSIM.
#
# Guess: structural_similarity(full=True) gives a map and its mean.
# Behaviour: the value is the mean of the map without its edge (5 pixels with this window); the map
#   has its edge. Of a small picture the two are 0.07 apart.
# Why it matters: SSIM of a region, of tiles or under a mask, from the map, does not add up to the
#   SSIM that is reported.
# Output:
#   scikit-image 0.26.0
#   32x32: 0.3173, mean of the map 0.2484
#   64x64: 0.3841, mean of the map 0.3584
#   256x256: 0.3770, mean of the map 0.3655
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile scikit-image==0.26.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import skimage
from skimage.metrics import structural_similarity

print("scikit-image", skimage.__version__)
rng = np.random.default_rng(0)
found = {}
for side in (32, 64, 256):
    y, x = np.mgrid[:side, :side]
    picture = 0.5 + 0.4 * np.sin(x / 3) * np.sin(y / 4)
    coarse = np.kron(picture.reshape(side // 8, 8, side // 8, 8).mean((1, 3)), np.ones((8, 8)))
    value, found_map = structural_similarity(
        picture,
        coarse,
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    found[side] = found_map.mean() - value
    print(f"{side}x{side}: {value:.4f}, mean of the map {found_map.mean():.4f}")
assert abs(found[32]) > 0.01, "the value is the mean of the map now"
PY
