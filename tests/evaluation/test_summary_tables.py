from tests.evaluation.synthetic import codec, failed

from rnncodec.evaluation.summary import summarize
from rnncodec.evaluation.tables import summary_tables

RATES = [k / 8 for k in range(1, 17)]
ROWS = [
    *codec("ours", RATES, ours=True, scale=0.5),
    *codec("jpeg", RATES),
    failed("jpeg", "broken", "cannot be read"),
]


def test_deltas_stand_beside_areas() -> None:
    areas, deltas, _ = summary_tables(summarize(ROWS, "jpeg"))
    ours, nominal, jpeg = (
        dict(zip([*areas.columns, *deltas.columns], [*row, *more], strict=True))
        for row, more in zip(areas.rows, deltas.rows, strict=True)
    )
    assert deltas.title.startswith("Against jpeg over 8 images")
    assert nominal["AUC minus anchor, PSNR-HVS"].startswith("+")
    assert jpeg["AUC minus anchor, MS-SSIM"] == "anchor"
    assert ours["BD-rate, PSNR-HVS (%)"] == "-50.0 [-50.0, -50.0]"
    assert jpeg["BD-rate, PSNR-HVS (%)"] == "anchor"
    assert nominal["rates"] == "nominal"
    assert nominal["MS-SSIM AUC nominal"].startswith("1.")
    assert ours["MS-SSIM AUC nominal"] == "–"
    assert "8 images" in areas.title
    assert areas.notes[-1].startswith("jpeg, broken: 1 row")


def test_rates_at_equal_quality_stand_beside_the_anchors() -> None:
    *_, rates = summary_tables(summarize(ROWS, "jpeg"))
    ours = dict(zip(rates.columns, rates.rows[0], strict=True))["PSNR-HVS 36"]
    jpeg = dict(zip(rates.columns, rates.rows[2], strict=True))["PSNR-HVS 36"]
    assert ours.endswith(f"({jpeg[:5]}, -50 %)")


def test_without_an_anchor_there_are_no_deltas() -> None:
    areas, rates = summary_tables(summarize(ROWS))
    assert not any("BD" in column for column in areas.columns)
    assert "%" not in "".join(cell for row in rates.rows for cell in row)
