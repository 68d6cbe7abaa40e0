"""What holds of compiled networks whichever back end is demanded: their results, and that autocast counts."""

from __future__ import annotations

import torch
from torch import Tensor


def everything(run_net, net, x, **given) -> dict[str, Tensor]:
    """Return the output of a network, compiled or not, and every gradient, by name."""
    x = x.detach().requires_grad_()
    y, _ = run_net(x, **given)
    gradients = torch.autograd.grad(y.float().square().sum(), [x, *net.parameters()])
    return {"output": y.detach(), **{str(place): gradient for place, gradient in enumerate(gradients)}}


def demand_the_same_under_autocast(net, x) -> None:
    """Hold a compiled network under autocast against the network there."""
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, wanted = everything(compiled, net, x), everything(net, net, x)
    assert found["output"].dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)
