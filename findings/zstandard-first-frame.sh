#!/usr/bin/env bash
# zstandard decompresses the first of two frames, and says nothing of the second.
#
# Guess: files of zstd that are written one after the other decompress to the whole, as with gzip,
#   bz2, lzma and the program zstd; or what is left over is an error.
# Behaviour: ZstdDecompressor.decompress gives the first part and drops the second in silence, while
#   stream_reader of the same object gives both.
# Why it matters: tiles or residuals that are compressed one by one and appended to a file come back
#   as the first of them; the length of the array may be the only sign.
# Output:
#   zstandard 0.25.0
#   gzip: the whole
#   bz2: the whole
#   lzma: the whole
#   decompress: 600 of 1150
#   stream_reader: 1150 of 1150
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile zstandard==0.25.0
"$folder/venv/bin/python" - <<'PY'
import bz2
import gzip
import io
import lzma

import zstandard

print("zstandard", zstandard.__version__)
parts = [b"first part, " * 50, b"second part" * 50]
whole = b"".join(parts)
for module in (gzip, bz2, lzma):
    same = module.decompress(b"".join(map(module.compress, parts))) == whole
    print(f"{module.__name__}: {'the whole' if same else 'not the whole'}")
compressor, decompressor = zstandard.ZstdCompressor(), zstandard.ZstdDecompressor()
data = b"".join(map(compressor.compress, parts))
print("decompress:", len(decompressor.decompress(data)), "of", len(whole))
print("stream_reader:", len(decompressor.stream_reader(io.BytesIO(data)).read()), "of", len(whole))
assert decompressor.decompress(data) == parts[0], "it reads all frames now, or raises"
PY
