"""The methods by which a network gives its streams."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from loopcell.layers.streaming.pool import StreamPool
from loopcell.layers.streaming.slots import Id, IdleLimits
from loopcell.layers.streaming.stream import NetworkStart, NetworkStream

if TYPE_CHECKING:
    from loopcell.layers.stepper import SteppedNetwork
    from loopcell.layers.streaming.state import StreamState


class StreamedNetwork:
    """A network that can be read on; a base of every stack of layers."""

    def stream(self: SteppedNetwork, state: NetworkStart = None) -> NetworkStream:
        """Read on, by steps and by chunks: `with net.stream() as stream: y = stream.feed(chunk)`.

        Args:
            state: where it begins: a stream's `state`, the state of a call (`y, state = net(x)`), or a file. The file
                need not be there yet, and is written when the block ends. None begins at zero.

        Returns:
            A `NetworkStream`. Its `step` takes a frame [I], its `feed` a chunk [T, I] of any length, and the numbers
            are those of the whole sequence.

        Raises:
            InputError: the network is bidirectional, or the state does not fit.
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: it is the state of another network.
        """
        return NetworkStream(self).begin(state)

    def streams(
        self: SteppedNetwork,
        capacity: int,
        *,
        idle_steps: int | None = None,
        idle_seconds: float | None = None,
        on_timeout: Callable[[Id, StreamState], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> StreamPool:
        """Read on in many streams, any of which go on together in one call.

        Args:
            capacity: the most streams that are open at once; fixed, so that nothing grows while they run.
            idle_steps: a stream is closed that took no part in so many steps of the pool; None for no such limit.
            idle_seconds: a stream is closed that took no step for so long; None for no such limit.
            on_timeout: is called with the id and the state of a stream that is closed so, which may be kept.
            clock: the time in seconds.

        Returns:
            A `StreamPool`: `open(id)`, `step(frames, ids)`, `feed(chunks, ids)`, `close(id)`.

        Raises:
            InputError: the network is bidirectional.
            UsageError: a number is below its least.
        """
        limits = IdleLimits(idle_steps, idle_seconds, on_timeout, clock)
        return StreamPool(self, capacity, limits).begin(None)
