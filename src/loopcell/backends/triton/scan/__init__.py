"""The scan over time as Triton kernels."""
