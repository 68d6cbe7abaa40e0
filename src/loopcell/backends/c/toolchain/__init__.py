"""The toolchain: which compiler builds kernels and with which flags, where libraries are cached, whose threads run."""
