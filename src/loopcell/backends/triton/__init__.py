"""The GPU back end: a cell's loops as generated Triton, forward and backward through time.

`codegen` writes the Triton of a cell, `toolchain` makes functions of it and knows the device, `launch` chooses a kind of
kernel and calls it on tensors. Triton itself is optional, and imported where it is used.
"""

from loopcell.backends.triton.launch.choose import KINDS, Choice, choose, forced
from loopcell.backends.triton.launch.loops import Kernels, Results, Saved, kernels_of
from loopcell.backends.triton.launch.memory import Shape
from loopcell.backends.triton.sources import KernelSource, kernel_sources
from loopcell.backends.triton.toolchain.device import Limits, device_obstacle

__all__ = [
    "KINDS",
    "Choice",
    "KernelSource",
    "Kernels",
    "Limits",
    "Results",
    "Saved",
    "Shape",
    "choose",
    "device_obstacle",
    "forced",
    "kernel_sources",
    "kernels_of",
]
