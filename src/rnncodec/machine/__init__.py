"""What the machine offers to everything else: files, memory, devices, processes."""
