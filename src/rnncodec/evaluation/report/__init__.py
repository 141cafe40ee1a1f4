"""report.html: one self-contained page with the curves, the figures and the pictures."""
