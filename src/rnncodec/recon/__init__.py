"""The reconstruction frameworks of section 3.2: one file each."""
