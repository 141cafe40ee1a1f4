"""The tables of an evaluation: areas and deltas, and rates at equal quality."""

from rnncodec.evaluation.bootstrap import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.measured import DECIBEL, FILES
from rnncodec.evaluation.merits import Merits
from rnncodec.evaluation.tables import ABSENT, Table

NAMES = {
    "psnr_rgb": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    DECIBEL: "MS-SSIM (dB)",
    "psnr_hvs": "PSNR-HVS",
    "psnr_hvs_m": "PSNR-HVS-M",
}
BY_DELTA = (DECIBEL, "psnr_hvs")
"""The metrics whose deltas the table shows; results.json has all."""


AREAS = {"ms_ssim": ".4f", "psnr_hvs": ".2f"}
"""The metrics whose areas the table shows, and how."""


def tables(merits: Merits) -> list[Table]:
    """What table.md and table.tex hold."""
    deltas = [] if merits.anchor is None else [deltas_table(merits, merits.anchor)]
    return [areas_table(merits), *deltas, rates_table(merits)]


def areas_table(merits: Merits) -> Table:
    """Areas under the curves."""
    columns = ["codec", "rates", "MS-SSIM AUC", "MS-SSIM AUC nominal", "PSNR-HVS AUC"]
    title = f"Figures of merit over {count(merits)}, with 95 % intervals"
    table = Table(title, columns, notes=[*conventions(), *merits.notes], words=2)
    table.rows = [
        [
            *(entry.codec, entry.rates, table.cell(entry.auc.get("ms_ssim"))),
            table.cell(entry.auc_nominal.get("ms_ssim")),
            table.cell(entry.auc.get("psnr_hvs"), AREAS["psnr_hvs"]),
        ]
        for entry in merits.codecs
    ]
    return table


def deltas_table(merits: Merits, anchor: str) -> Table:
    """Areas minus the anchor's, and Bjontegaard deltas."""
    columns = ["codec", "rates", *(f"AUC minus anchor, {NAMES[metric]}" for metric in AREAS)]
    columns += [f"BD-rate, {NAMES[metric]} (%)" for metric in BY_DELTA]
    columns += [f"BD-{NAMES[metric]}" for metric in BY_DELTA]
    title = f"Against {anchor} over {count(merits)}, with 95 % intervals of the differences"
    table = Table(title, columns, words=2)
    for entry in merits.codecs:
        cells = ["anchor"] * (len(columns) - 2)
        if entry.codec != anchor:
            cells = [
                *(table.cell(entry.auc_delta.get(m), f"+{form}") for m, form in AREAS.items()),
                *(table.cell(entry.bd_rate.get(metric), "+.1f") for metric in BY_DELTA),
                *(table.cell(entry.bd_metric.get(metric), "+.2f") for metric in BY_DELTA),
            ]
        elif entry.rates != FILES:
            cells = [ABSENT] * len(cells)
        table.rows.append([entry.codec, entry.rates, *cells])
    return table


def rates_table(merits: Merits) -> Table:
    """Bits per pixel at equal quality; beside each the change against the anchor."""
    levels = [
        (metric, level)
        for metric in ("ms_ssim", "psnr_hvs")
        for level in next((e.rate_at[metric] for e in merits.codecs if metric in e.rate_at), ())
    ]
    columns = ["codec", "rates", *(f"{NAMES[metric]} {level:g}" for metric, level in levels)]
    base = None if merits.anchor is None else merits.of(merits.anchor)
    title = f"Rate at equal quality over {count(merits)} (bpp)"
    if base is not None:
        title += f"; in brackets the anchor {base.codec}'s rate and the change against it"
    table = Table(title, columns, words=2)
    for entry in merits.codecs:
        row = [entry.codec, entry.rates]
        for metric, level in levels:
            own = entry.rate_at.get(metric, {}).get(level)
            anchor = base.rate_at.get(metric, {}).get(level) if base else None
            row.append(table.cell(own, ".3f") + beside(own, None if entry is base else anchor))
        table.rows.append(row)
    return table


def beside(own: Estimate | None, anchor: Estimate | None) -> str:
    """The anchor's rate and the change against it, where both exist.

    Examples:
        >>> beside(Estimate(0.5), Estimate(1.0)), beside(Estimate(0.5), None)
        (' (1.000, -50 %)', '')
    """
    if own is None or own.value is None or anchor is None or anchor.value is None:
        return ""
    return f" ({anchor.value:.3f}, {100 * (own.value / anchor.value - 1):+.0f} %)"


def conventions() -> list[str]:
    """What the figures mean, in sentences."""
    return [
        "AUC: mean of the curve over 0.25-1.5 bpp; AUC nominal: area over 0.125-2.0 bpp at "
        "iteration / 8 bpp, without entropy coding.",
        "BD: library bjontegaard, pchip, over the range that both curves cover (results.json "
        "states it); MS-SSIM in dB is -10 log10(1 - x) of the average.",
        f"Intervals: bootstrap over images, paired across codecs, {RESAMPLES} resamples, "
        f"seed {SEED}.",
    ]


def count(merits: Merits) -> str:
    """How many images the averages are over.

    Examples:
        >>> count(Merits(None, [], {"ms_ssim": ("a", "b"), "ssim": ("a",)}, [], []))
        '1-2 images'
    """
    numbers = sorted({len(images) for images in merits.images.values()})
    if not numbers:
        return ABSENT
    text = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
    return f"{text} image{'' if text == '1' else 's'}"
