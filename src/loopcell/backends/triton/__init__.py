"""The GPU back end: a cell's loops as generated Triton, forward and backward through time.

`codegen` writes the Triton of a cell, `toolchain` makes functions of it and knows the device, `launch` chooses a kind
of kernel and calls it on tensors. Triton itself is optional, and imported where it is used.
"""

from loopcell.backends.triton.launch.choose import KINDS, KernelChoice, choose, forced, possible
from loopcell.backends.triton.launch.loops import LoopKernels, Results, Saved, kernels_of
from loopcell.backends.triton.launch.memory import CallShape
from loopcell.backends.triton.sources import KernelSource, kernel_sources
from loopcell.backends.triton.toolchain.device import DeviceLimits, device_obstacle, limits_of

__all__ = [
    "KINDS",
    "KernelChoice",
    "KernelSource",
    "LoopKernels",
    "DeviceLimits",
    "Results",
    "Saved",
    "CallShape",
    "choose",
    "device_obstacle",
    "forced",
    "kernel_sources",
    "kernels_of",
    "limits_of",
    "possible",
]
