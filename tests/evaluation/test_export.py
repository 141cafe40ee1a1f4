import json
from pathlib import Path

import numpy as np
from tests.evaluation.synthetic import codec

from rnncodec.evaluation.export import FILES_WRITTEN, write_publication
from rnncodec.evaluation.rd_points import NOMINAL
from rnncodec.evaluation.summary import merits

RATES = [k / 8 for k in range(1, 17)]


def test_everything_a_paper_needs_is_written(tmp_path: Path) -> None:
    rows = [*codec("ours", RATES, ours=True, scale=0.5), *codec("jpeg", RATES)]
    found = merits(rows, "jpeg")
    written = write_publication(
        tmp_path,
        found,
        published={"JPEG": {"ms_ssim": [(0.1, 0.8), (1.0, 0.97)]}},
        identities={"ours": "0123abcd"},
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES_WRITTEN)
    assert [path.name for path in written] == list(FILES_WRITTEN)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["provenance"]["codecs"] == {"ours": "0123abcd"}
    assert content["provenance"]["versions"]["numpy"] == np.__version__
    assert content["image_count"]["ms_ssim"] == 8
    ours, nominal, jpeg = content["codecs"]
    delta = found.of("ours", NOMINAL).auc_delta["ms_ssim"]
    told = {"value": delta.value, "interval": [delta.low, delta.high]}
    assert nominal["auc_delta"]["ms_ssim"] == told
    assert ours["bd_rate"]["psnr_hvs"]["value"] == found.of("ours").bd_rate["psnr_hvs"].value
    assert ours["curves"]["psnr_hvs"][3][0] == found.of("ours").curves["psnr_hvs"][3][0]
    assert (nominal["rates"], nominal["curves"]["ms_ssim"][0][0]) == ("nominal", 0.125)
    (level,) = (e for e in ours["rate_at"] if (e["metric"], e["level"]) == ("psnr_hvs", 36.0))
    (base,) = (e for e in jpeg["rate_at"] if (e["metric"], e["level"]) == ("psnr_hvs", 36.0))
    assert (level["anchor"], jpeg["bd_rate"]) == (base["value"], {})
    assert "published" not in (tmp_path / "table.md").read_text()
