"""report.html: one self-contained page with the curves, the merits and the pictures themselves."""

from rnncodec.evaluation.report.page import Report, write_report
from rnncodec.evaluation.report.viewer import Exhibit, Shot

__all__ = ["Exhibit", "Report", "Shot", "write_report"]
