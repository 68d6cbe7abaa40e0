"""Launching kernels: from tensors to a call of the compiled functions, forward and backward."""
