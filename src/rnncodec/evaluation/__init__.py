"""Metrics, rate-distortion tables and plots; uses a codec as its users do."""
