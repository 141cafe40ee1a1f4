"""Trained runs side by side: finds them, ranks them, says which settings explain differences."""
