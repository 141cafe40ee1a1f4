#!/usr/bin/env bash
# A .npy file of bfloat16 comes back as raw bytes.
#
# Guess: the file names the type, so np.load gives bfloat16 while ml_dtypes is imported; if the
#   format cannot say it, np.save raises.
# Behaviour: np.save writes without a word, np.load gives two-byte void values, and they do not
#   convert to float32. Only a reader who knows what they were can view them as bfloat16.
# Why it matters: codes or activations of a training in bfloat16, kept as .npy, do not say what
#   they are; a reader that takes two bytes for float16 gets numbers that look plausible.
# Output:
#   numpy 2.4.6 ml_dtypes 0.6.0
#   loaded as |V2 [b'\x80?', b'\x00@', b'@@']
#   to float32: setting an array element with a sequence.
#   viewed as bfloat16: [1.0, 2.0, 3.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import io

import ml_dtypes
import numpy as np

print("numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
file = io.BytesIO()
np.save(file, np.array([1, 2, 3], ml_dtypes.bfloat16))
file.seek(0)
loaded = np.load(file)
print("loaded as", loaded.dtype.str, loaded.tolist())
try:
    loaded.astype(np.float32)
except ValueError as error:
    print("to float32:", error)
else:
    raise SystemExit("the loaded array converts to float32 now")
print("viewed as bfloat16:", loaded.view(ml_dtypes.bfloat16).tolist())
assert loaded.dtype.kind == "V", "the type is kept now"
PY
