#!/usr/bin/env bash
# pillow-heif's lossless quality is lossless only with two more arguments.
#
# Guess: quality=-1, described as lossless, gives back the picture; or at least with chroma=444,
#   which its documentation asks for too.
# Behaviour: quality=-1 alone halves the resolution of colour. With chroma=444 the picture still
#   is off, by the rounding from RGB to YCbCr and back. With matrix_coefficients=0 it is exact.
# Why it matters: a reference set kept "losslessly" is not the one that was measured; a lossless
#   rival seems smaller than it is.
# Output:
#   pillow-heif 1.8.1 libheif 1.23.6
#   quality=-1, {}: largest error 216
#   quality=-1, {'chroma': 444}: largest error 1
#   quality=-1, {'chroma': 444, 'matrix_coefficients': 0}: largest error 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile pillow-heif==1.8.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import io

import numpy as np
import pillow_heif

print("pillow-heif", pillow_heif.__version__, "libheif", pillow_heif.libheif_version())
picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
errors = {}
for options in ({}, {"chroma": 444}, {"chroma": 444, "matrix_coefficients": 0}):
    file = io.BytesIO()
    image = pillow_heif.from_bytes("RGB", (64, 64), picture.tobytes())
    image.save(file, quality=-1, **options)
    decoded = np.asarray(pillow_heif.open_heif(file))
    errors[len(options)] = np.abs(decoded.astype(int) - picture).max()
    print(f"quality=-1, {options}: largest error {errors[len(options)]}")
assert errors[0] > 50, "quality=-1 alone is nearly lossless now"
assert errors[1] > 0, "quality=-1 with chroma=444 is lossless now"
assert errors[2] == 0
PY
