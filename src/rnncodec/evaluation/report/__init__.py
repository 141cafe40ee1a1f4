"""report.html: one self-contained page with the curves, the merits and the pictures themselves."""

from rnncodec.evaluation.report.exhibits import Exhibit, Shot
from rnncodec.evaluation.report.page import Report, write_report

__all__ = ["Exhibit", "Report", "Shot", "write_report"]
