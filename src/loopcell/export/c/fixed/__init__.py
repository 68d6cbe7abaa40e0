"""Models in fixed point: C without a float, for processors without an FPU, and the same whole numbers in Python."""
