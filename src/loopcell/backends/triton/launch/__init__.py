"""Calls of kernels on tensors."""
