"""Entropy models of the codes (paper section 5)."""
