#!/usr/bin/env bash
# The mean of 1000 ones in bfloat16 is 0.256.
#
# Guess: NumPy sums bfloat16 as it sums float16: in pairs, and for a mean in float32. At worst the
#   result is rounded to 8 bits: 1000 and 1.
# Behaviour: it adds one by one in bfloat16. At 256 the next one is lost in rounding, so the sum
#   stays there: 10,000 ones have the sum 256 and the mean 0.026. float16 is right.
# Why it matters: a loss or a rate averaged in bfloat16 falls with the number of samples, and looks
#   like a better model. np.mean(x, dtype=np.float32) is right.
# Output:
#   numpy 2.4.6 ml_dtypes 0.6.0
#   float16: 256 ones: sum 256, mean 1
#   float16: 1000 ones: sum 1000, mean 1
#   float16: 10000 ones: sum 10000, mean 1
#   bfloat16: 256 ones: sum 256, mean 1
#   bfloat16: 1000 ones: sum 256, mean 0.2559
#   bfloat16: 10000 ones: sum 256, mean 0.02563
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import ml_dtypes
import numpy as np

print("numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
for name, kind in (("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)):
    for count in (256, 1000, 10_000):
        ones = np.ones(count, kind)
        print(f"{name}: {count} ones: sum {float(ones.sum()):g}, mean {float(ones.mean()):.4g}")
ones = np.ones(1000, ml_dtypes.bfloat16)
assert float(np.ones(1000, np.float16).mean()) == 1
assert float(ones.sum()) == 256, "the sum goes on now"
assert float(ones.mean()) < 0.26, "the mean is right now"
assert ones.mean(dtype=np.float32) == 1
PY
