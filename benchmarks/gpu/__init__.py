"""Figures of GPUs: what kernels ask of a device, compiled without one, and how fast they are on one."""
