"""Code generation: from a cell's graphs to the text of its kernels in C."""
