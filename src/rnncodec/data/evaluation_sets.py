"""Evaluation images: ordered sets of (name, full-size uint8 image), never used for training."""

from pathlib import Path

from rnncodec.data.fetch import KODAK_SHA256, kodak_folders
from rnncodec.data.photos import DemoPhotos, FolderPhotos, Photos
from rnncodec.errors import DataError


class DemoImages(DemoPhotos):
    """The demo photographs kept for evaluation."""

    def __init__(self) -> None:
        super().__init__("evaluation", cache_mb=0)


class FolderImages(FolderPhotos):
    """Every picture under `root` (see `find_images`).

    Raises:
        DataError: the folder is missing or holds no picture.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(root, cache_mb=0)


class KodakImages(Photos):
    """The 24 Kodak images, 768x512 or 512x768, named kodim01.png to kodim24.png.

    `root` is by default `$RNNCODEC_DATA/kodak` or else where `rnncodec fetch kodak` puts them.

    Raises:
        DataError: no such folder, or one of the 24 is missing.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        folder = _kodak_folder([Path(root).expanduser()] if root else kodak_folders())
        names = sorted(KODAK_SHA256)
        paths = [folder / name for name in names]
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            raise DataError(
                f"{folder} lacks {len(missing)} of the 24 Kodak images, first {missing[0]}; "
                "run `rnncodec fetch kodak`"
            )
        super().__init__(paths, names, cache_mb=0)


def _kodak_folder(candidates: list[Path]) -> Path:
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise DataError(
        f"the Kodak images are not in {looked}; set RNNCODEC_DATA to a folder that holds kodak/, "
        "or run `rnncodec fetch kodak`, or evaluate on other images with eval=demo"
    )
