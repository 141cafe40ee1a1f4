"""The recurrent cells of section 3.1: one contract, one file per cell."""
