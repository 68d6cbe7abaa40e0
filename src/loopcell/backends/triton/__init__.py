"""The Triton back end: programs as kernels for GPUs."""
