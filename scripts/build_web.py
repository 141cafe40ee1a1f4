"""Builds the page of `web/` into one static folder: `python scripts/build_web.py [FOLDER]`.

The folder needs no server of its own and asks no other host for anything: modules as they are,
WebAssembly out of `kernels.wat`, and the decoder of the packaged model.
"""

import re
import shutil
import sys
from pathlib import Path

import wasmtime

from rnncodec import models
from rnncodec.models.web_export import export_web

WEB = Path(__file__).parents[1] / "web"
MADD = re.compile(r"MADD\((\w+), (\w+), (\w+)\)")
STRICT = r"(f32x4.add (f32x4.mul (local.get $\1) (local.get $\2)) (local.get $\3))"
ALONE = "(memory 1)"
SHARED = "(memory 1 65536 shared)"
FUSED = r"(f32x4.relaxed_madd (local.get $\1) (local.get $\2) (local.get $\3))"


def build(folder: Path) -> None:
    """Write the page into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(WEB.rglob("*")):
        inside = path.relative_to(WEB)
        if path.is_file() and inside.parts[0] != "dist" and path.suffix not in {".wat", ".md"}:
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inside)
    source = (WEB / "codec" / "kernels.wat").read_text(encoding="utf-8")
    for name, product in {"kernels": STRICT, "kernels-fused": FUSED}.items():
        text = MADD.sub(product, source)
        for suffix, memory in {"": ALONE, "-shared": SHARED}.items():
            module = wasmtime.wat2wasm(text.replace(ALONE, memory))
            (folder / "codec" / f"{name}{suffix}.wasm").write_bytes(module)
    (folder / "models").mkdir()
    for path in models.packaged().values():
        fingerprint = models.fingerprint_of(path).hex()
        export_web(path, folder / "models" / f"{fingerprint}{models.SUFFIX}")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WEB / "dist"
    build(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB; any static server will do, or: rnncodec serve FILE.rnc")


if __name__ == "__main__":
    main()
