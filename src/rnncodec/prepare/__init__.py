"""From a folder, list, archive or data set of photographs to sharded training tiles (section 5).

Nothing here imports torch: worker processes start quickly and stay small.
"""
