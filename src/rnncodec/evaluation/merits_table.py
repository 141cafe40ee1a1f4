"""The tables of an evaluation: areas and deltas, and rates at equal quality."""

from rnncodec.evaluation.bootstrap import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.measured import FILES
from rnncodec.evaluation.merits import NOT_BY_DELTA, Merits
from rnncodec.evaluation.metrics import DECIBEL, METRICS, described, tabled
from rnncodec.evaluation.tables import ABSENT, Table


def areas_of(merits: Merits) -> dict[str, str]:
    """The metrics whose areas the tables show, and how."""
    present = [metric for metric, images in merits.images.items() if images]
    return {metric: f".{METRICS[metric].digits}f" for metric in tabled(present)}


def deltas_of(merits: Merits) -> list[str]:
    """The metrics whose Bjontegaard deltas the tables show; results.json has all."""
    return [DECIBEL if metric in NOT_BY_DELTA else metric for metric in areas_of(merits)]


def name_of(metric: str) -> str:
    """What a metric is called in a table: without its unit, unless that tells it apart."""
    return described(metric).heading if metric == DECIBEL else described(metric).title


def tables(merits: Merits) -> list[Table]:
    """What table.md and table.tex hold."""
    deltas = [] if merits.anchor is None else [deltas_table(merits, merits.anchor)]
    return [areas_table(merits), *deltas, rates_table(merits)]


def areas_table(merits: Merits) -> Table:
    """Areas under the curves."""
    first, *others = areas_of(merits).items()
    columns = ["codec", "rates", f"{name_of(first[0])} AUC", f"{name_of(first[0])} AUC nominal"]
    columns += [f"{name_of(metric)} AUC" for metric, _ in others]
    title = f"Figures of merit over {count(merits)}, with 95 % intervals"
    table = Table(title, columns, notes=[*conventions(), *merits.notes], words=2)
    table.rows = [
        [
            *(entry.codec, entry.rates, table.cell(entry.auc.get(first[0]), first[1])),
            table.cell(entry.auc_nominal.get(first[0]), first[1]),
            *(table.cell(entry.auc.get(metric), form) for metric, form in others),
        ]
        for entry in merits.codecs
    ]
    return table


def deltas_table(merits: Merits, anchor: str) -> Table:
    """Areas minus the anchor's, and Bjontegaard deltas."""
    areas, deltas = areas_of(merits), deltas_of(merits)
    columns = ["codec", "rates", *(f"AUC minus anchor, {name_of(metric)}" for metric in areas)]
    columns += [f"BD-rate, {name_of(metric)} (%)" for metric in deltas]
    columns += [f"BD-{name_of(metric)}" for metric in deltas]
    title = f"Against {anchor} over {count(merits)}, with 95 % intervals of the differences"
    table = Table(title, columns, words=2)
    for entry in merits.codecs:
        cells = ["anchor"] * (len(columns) - 2)
        if entry.codec != anchor:
            cells = [
                *(table.cell(entry.auc_delta.get(m), f"+{form}") for m, form in areas.items()),
                *(table.cell(entry.bd_rate.get(metric), "+.1f") for metric in deltas),
                *(table.cell(entry.bd_metric.get(metric), "+.2f") for metric in deltas),
            ]
        elif entry.rates != FILES:
            cells = [ABSENT] * len(cells)
        table.rows.append([entry.codec, entry.rates, *cells])
    return table


def rates_table(merits: Merits) -> Table:
    """Bits per pixel at equal quality; beside each the change against the anchor."""
    levels = [
        (metric, level)
        for metric in areas_of(merits)
        for level in next((e.rate_at[metric] for e in merits.codecs if metric in e.rate_at), ())
    ]
    columns = ["codec", "rates", *(f"{name_of(metric)} {level:g}" for metric, level in levels)]
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
