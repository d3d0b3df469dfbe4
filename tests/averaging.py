"""What each of two processes does in test_parallel: gradients of its half of a batch, averaged over several buckets."""

import json
import os

import torch
import torch.distributed as distributed
from torch.nn.parallel import DistributedDataParallel

from imgcls.training.distributed import average_gradients_hook, destroy

torch.manual_seed(0)
network = torch.nn.Sequential(*(torch.nn.Linear(300, 300) for _ in range(6)))  # 0.36 MB of gradients each
inputs = torch.randn(8, 300)
distributed.init_process_group("gloo")
shared = DistributedDataParallel(network, bucket_cap_mb=0.5)
buckets = []


def counted(group, bucket):
    buckets.append(bucket.is_last())
    return average_gradients_hook(group, bucket)


shared.register_comm_hook(None, counted)
for _ in range(2):  # torch arranges its buckets anew after the first
    network.zero_grad()
    shared(inputs[int(os.environ["RANK"]) :: 2]).square().mean().backward()
ours = [parameter.grad.clone() for parameter in network.parameters()]
network.zero_grad()
network(inputs).square().mean().backward()
gap = max(float((a - b.grad).abs().max()) for a, b in zip(ours, network.parameters(), strict=True))
if os.environ["RANK"] == "0":
    print(json.dumps({"buckets": len(buckets) // 2, "last": buckets.count(True), "gap": gap}))
destroy()
