"""The text of kernels: pure functions of a program, which import neither Triton nor torch."""
