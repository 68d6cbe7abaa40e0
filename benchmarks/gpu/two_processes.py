"""Run by torchrun: each process has half of the rows of a batch; the first writes the gradients that both agree on."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import loopcell

ROWS, STEPS, SIZE = 8, 12, 24


def network(device: torch.device) -> nn.Module:
    """Return the same network in every process."""
    torch.manual_seed(0)
    return loopcell.Recurrent("lstm_peephole", SIZE, SIZE).to(device)


def gradients(device: torch.device, rows: slice, *, shared: bool = False) -> dict[str, Tensor]:
    """Return the gradients of a mean over some rows, by parameter; with `shared`, the mean over processes."""
    net = network(device)
    x = torch.randn(STEPS, ROWS, SIZE, generator=torch.Generator().manual_seed(1))[:, rows].to(device)
    run = DistributedDataParallel(net) if shared else net
    run(x)[0].square().mean().backward()
    return {name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None}


def main(device: str, path: Path) -> None:
    """Join the other process, and write what came out."""
    torch.distributed.init_process_group("gloo")
    rank, half = torch.distributed.get_rank(), ROWS // 2
    found = gradients(torch.device(device), slice(rank * half, (rank + 1) * half), shared=True)
    if rank == 0:
        save_file({name: gradient.cpu() for name, gradient in found.items()}, path)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
