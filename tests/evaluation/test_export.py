from pathlib import Path

import numpy as np
from tests.evaluation.synthetic import codec

from rnncodec.evaluation.curves import NOMINAL, RDCurve
from rnncodec.evaluation.evaluate import write_figures, write_json
from rnncodec.evaluation.summary import read_summary, summarize, summary_json

FILES = ["rd.pdf", "rd.png", "results.json", "table.md", "table.tex"]
RATES = [k / 8 for k in range(1, 17)]


def test_everything_a_paper_needs_is_written(tmp_path: Path) -> None:
    rows = [*codec("ours", RATES, ours=True, scale=0.5), *codec("jpeg", RATES)]
    found = summarize(rows, "jpeg")
    published = [RDCurve.of([(0.1, 0.8), (1.0, 0.97)], "JPEG", "ms_ssim")]
    write_json(tmp_path / "results.json", summary_json(found, {"ours": "0123abcd"}))
    write_figures(tmp_path, found, published)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    content = read_summary(tmp_path / "results.json")
    assert content["provenance"]["codecs"] == {"ours": "0123abcd"}
    assert content["provenance"]["versions"]["numpy"] == np.__version__
    assert content["image_count"]["ms_ssim"] == 8
    ours, nominal, jpeg = content["codecs"]
    delta = found.of("ours", NOMINAL).auc_delta["ms_ssim"]
    interval = {"value": delta.value, "interval": [delta.low, delta.high]}
    assert nominal["auc_delta"]["ms_ssim"] == interval
    assert ours["bd_rate"]["psnr_hvs"]["value"] == found.of("ours").bd_rate["psnr_hvs"].value
    assert ours["curves"]["psnr_hvs"][3][0] == found.of("ours").curves["psnr_hvs"].samples[3][0]
    assert (nominal["rates"], nominal["curves"]["ms_ssim"][0][0]) == ("nominal", 0.125)
    (level,) = (e for e in ours["rate_at"] if (e["metric"], e["level"]) == ("psnr_hvs", 36.0))
    (base,) = (e for e in jpeg["rate_at"] if (e["metric"], e["level"]) == ("psnr_hvs", 36.0))
    assert (level["anchor"], jpeg["bd_rate"]) == (base["value"], {})
    assert "published" not in (tmp_path / "table.md").read_text()
