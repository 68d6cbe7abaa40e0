"""Triton, and the device."""
