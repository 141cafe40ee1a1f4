#!/usr/bin/env bash
# A transposed NumPy array is stored with its numbers in another order.
#
# Guess: safetensors.numpy.save writes what the array shows, or refuses an array that is not
#   contiguous, as safetensors.torch does.
# Behaviour: it writes the memory behind the array under the array's shape. The file is valid, the
#   shape is right, the numbers are in the wrong places, and nothing is said.
# Why it matters: a convolution's kernel that was transposed for another framework is saved,
#   loads without an error, and the network gives noise.
# Output:
#   safetensors 0.8.0 numpy 2.4.6
#   saved  [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
#   loaded [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import load, save

print("safetensors", safetensors.__version__, "numpy", np.__version__)
weights = np.arange(6, dtype=np.float32).reshape(2, 3).T
stored = load(save({"weights": weights}))["weights"]
print("saved ", weights.tolist())
print("loaded", stored.tolist())
copied = load(save({"weights": np.ascontiguousarray(weights)}))["weights"]
assert np.array_equal(copied, weights)
assert stored.shape == weights.shape
assert stored.tolist() == [[0, 1], [2, 3], [4, 5]], "a transposed array is stored otherwise now"
PY
