"""Steps on a GPU as one launch instead of some hundreds: recorded once as a CUDA graph, then played back.

A small network's step is over before the processor has launched its kernels one by one. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class CUDAGraphStep:
    """`step(inputs, labels)` as it is, but played back from the second batch of one shape on.

    What is played back are the same kernels on the same numbers. Batches of another shape, an epoch's last one, go the
    usual way. `step` must not wait for the GPU; what it changes must lie there, and stay where it is.
    """

    def __init__(self, step: Callable[[Tensor, Tensor], None], optimizer: torch.optim.Optimizer) -> None:
        self._step, self._optimizer = step, optimizer
        self.forget()

    def forget(self) -> None:
        self._recordable = True
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs = self._labels = torch.empty(0)
        self._shape: torch.Size | None = None

    def __call__(self, inputs: Tensor, labels: Tensor) -> None:
        if self._shape is None or len(inputs) > self._shape[0]:  # a run may go on at an epoch's short last batch
            self.forget()
            self._shape = inputs.shape
            self._warm_up(inputs, labels)
            return
        if inputs.shape == self._shape and self._graph is None and self._recordable:
            self._record(inputs, labels)
        if inputs.shape != self._shape or self._graph is None:
            self._step(inputs, labels)
            return
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._graph.replay()

    def _warm_up(self, inputs: Tensor, labels: Tensor) -> None:
        """A step like any other, but on a stream of its own, as recording wants it: it makes the momenta."""
        here, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            self._step(inputs, labels)
        here.wait_stream(side)

    def _record(self, inputs: Tensor, labels: Tensor) -> None:
        """Nothing is computed yet. What cannot be recorded, for want of memory or because it waits for the GPU, goes
        the usual way from then on, and says itself what is wrong with it."""
        self._inputs, self._labels = torch.empty_like(inputs), torch.empty_like(labels)
        graph, groups = torch.cuda.CUDAGraph(), self._optimizer.param_groups
        for group in groups:
            group["capturable"] = True
        try:
            with torch.cuda.graph(graph):
                self._step(self._inputs, self._labels)
            self._graph = graph
        except RuntimeError:
            self._recordable, self._inputs, self._labels = False, torch.empty(0), torch.empty(0)
        finally:
            for group in groups:
                group["capturable"] = False  # where it is set, Adam warns at every step that is not recorded
