"""Training steps of WeatherMixer in PyTorch on several CPU ranks (eager, FP32, gloo): seconds, memory, bytes per step.

The model is Tests/Goldens/weathermixer.py with residual output; the data are random and come from a seed. A step is what
pytorch_step.py times: forward, weighted loss, backward, clipping of the gradient norm, AdamW. Modes:
  single   one process, the reference
  ddp      DistributedDataParallel: the weights whole on every rank, the global batch split
  fsdp2    fully_shard on every block and the root: weights, gradients and Adam's state split, the global batch split
  tensor   DTensor: tensor and sequence parallelism, every rank works on the whole batch
Every rank has one thread and one core, which its communication threads share. Rank 0 prints one line of JSON. In it, memory
is what the process needs beyond its imports; 45 to 50 MiB of it, whatever the model's size, are code that torch loads in the
first step. gloo's reduce-scatter (fsdp2 and tensor) sends as much as an all-reduce, with two ranks twice what it has to.
Usage: python3 parallel_step.py --mode single
       torchrun --nproc-per-node 2 parallel_step.py --mode tensor --channels 1024 --batch 2 [--check]
Needs torch==2.13.0 and Linux.
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
cores = sorted(os.sched_getaffinity(0))
# Before torch starts any thread, so that gloo's inherit the core: a rank must not borrow the others' time to send.
os.sched_setaffinity(0, {cores[int(os.environ.get("LOCAL_RANK", 0)) % len(cores)]})

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402
from torch.distributed.tensor import DTensor, Shard  # noqa: E402
from torch.distributed.tensor.parallel import (ColwiseParallel, RowwiseParallel, SequenceParallel,  # noqa: E402
                                               parallelize_module)
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

sys.path.append(str(Path(__file__).parents[2] / "Tests/Goldens"))
from weathermixer import WeatherMixer, weighted_loss  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--mode", choices=["single", "ddp", "fsdp2", "tensor"], required=True)
for name, value in dict(rows=64, columns=128, patch_rows=4, patch_columns=4, variables=72, auxiliaries=5, channels=1024,
                        token_width=512, channel_width=1024, blocks=3, batch=2, steps=10, seed=1).items():
    parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
parser.add_argument("--check", action="store_true",
                    help="compare losses and gradient norms of the first steps with one process; fail if they differ")
a = parser.parse_args()
warm_up, compared = 2, 3
if (a.mode == "single") != (world == 1):
    parser.error(f"mode {a.mode} on {world} rank(s)")
if a.mode in ("ddp", "fsdp2") and a.batch % world:
    parser.error("the ranks must divide the global batch")


def status(field):
    """Bytes of a field of /proc/self/status."""
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field + ":"))


def loopback():
    """Bytes sent over lo: everything on it, other programs' too, with TCP headers and acknowledgements."""
    return next(int(line.split(":")[1].split()[8]) for line in open("/proc/net/dev") if line.strip().startswith("lo:"))


def fields():
    """The global batch and the weights of the loss, the same on every rank."""
    random = torch.Generator().manual_seed(a.seed)
    state = torch.randn(a.batch, a.variables, a.rows, a.columns, generator=random)
    auxiliary = torch.randn(a.batch, a.auxiliaries, a.rows, a.columns, generator=random)
    target = state + 0.1 * torch.randn(state.shape, generator=random)
    latitudes = (torch.arange(a.rows) + 0.5) / a.rows * torch.pi
    return state, auxiliary, target, latitudes.sin() / latitudes.sin().mean(), torch.linspace(0.5, 1.5, a.variables)


def new_model():
    torch.manual_seed(a.seed)  # the same initial weights on every rank and in every mode
    return WeatherMixer((a.rows, a.columns), (a.patch_rows, a.patch_columns), a.variables, a.auxiliaries, a.channels,
                        a.token_width, a.channel_width, a.blocks, residual_scale=torch.full((a.variables,), 0.1))


def whole_fields(model, state, auxiliary, target, rows, variables):
    return lambda: weighted_loss(model(state, auxiliary), target, rows, variables)


def split_batch(model, state, auxiliary, target, rows, variables):
    # Copies, not views: a view would keep the other ranks' samples in memory.
    state, auxiliary, target = (x.chunk(world)[rank].clone() for x in (state, auxiliary, target))
    return whole_fields(model, state, auxiliary, target, rows, variables)


def split_model(model):
    """Splits the weights of both mixings' MLPs over their hidden width, those of encoder and decoder over their outputs.

    Between the MLPs activations [batch, token, channel] lie split over tokens; LayerNorm, residuals and sums work on these
    (sequence parallelism). An MLP gathers its input and scatters the sums of its output.
    """
    tokens, transposed = Shard(1), Shard(2)  # where the tokens are before and after Block.forward's transpose
    plan = {
        # Every rank knows the fields, so nothing is gathered here. The output goes from channels to tokens, an all-to-all;
        # on CPU DTensor gathers everything instead and says so in a warning, although gloo has the all-to-all.
        "encoder": ColwiseParallel(output_layouts=tokens, use_local_output=False),
    }
    for i in range(a.blocks):
        for mixing, layout in (("tokens", transposed), ("channels", tokens)):
            plan[f"blocks.{i}.{mixing}.norm"] = SequenceParallel()
            plan[f"blocks.{i}.{mixing}.first"] = ColwiseParallel(input_layouts=layout)
            plan[f"blocks.{i}.{mixing}.second"] = RowwiseParallel(output_layouts=layout, use_local_output=False)
    # ColwiseParallel takes all parameters below a Linear for its own, so the decoder's norm goes its own way.
    norm = model.decoder.norm
    del model.decoder.norm
    plan["decoder"] = ColwiseParallel(input_layouts=tokens)
    mesh = init_device_mesh("cpu", (world,))
    parallelize_module(model, mesh, plan)
    model.decoder.norm = parallelize_module(norm, mesh, SequenceParallel())
    return model


def split_columns(model, state, auxiliary, target, rows, variables):
    """The loss of split_model, on the columns of patch vectors that this rank's part of the decoder predicts.

    Turning patches into fields would gather them on every rank (DTensor cannot view a split patch row as part of a
    latitude), so state, target and weights become patches instead, once.
    """
    def columns(x):
        return model.patches(x).chunk(world, -1)[rank].clone()

    inputs = torch.cat([model.patches(state), model.patches(auxiliary)], -1)
    weights = (variables[:, None, None] * rows[:, None]).expand(1, -1, -1, a.columns)
    scale = columns(model.residual_scale[:, None, None].expand(1, -1, a.rows, a.columns))[0, 0]
    count, state, target, weights = target.numel(), columns(state), columns(target), columns(weights)

    def loss():
        encoded = model.encoder(inputs)
        x = model.process(encoded)
        y = model.decoder(torch.cat([model.decoder.norm(x), encoded], -1))
        return ((weights * (state + scale * y - target)) ** 2).sum() / count
    return loss


class Training:
    def __init__(self, mode):
        model = new_model()
        if mode == "ddp":  # gradients live in the buckets instead of beside them: less memory
            model = DistributedDataParallel(model, gradient_as_bucket_view=True, forward_sync_buffers=False)
        elif mode == "fsdp2":
            mesh = init_device_mesh("cpu", (world,))
            for block in model.blocks:
                fully_shard(block, mesh=mesh)
            fully_shard(model, mesh=mesh)
        elif mode == "tensor":
            model = split_model(model)
        terms = {"single": whole_fields, "tensor": split_columns}.get(mode, split_batch)
        self.loss = terms(model, *fields())
        self.parameters = list(model.parameters())
        self.adam = torch.optim.AdamW(self.parameters, lr=1e-4, fused=True)
        self.history = []  # of the first steps: this rank's part of the loss, the norm of the whole gradient

    def step(self):
        self.adam.zero_grad()
        loss = self.loss()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        if len(self.history) < compared:
            norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
            self.history.append((loss.item(), norm.item()))


if world > 1:
    dist.init_process_group("gloo")
barrier = dist.barrier if world > 1 else lambda: None
torch.set_num_threads(1)
barrier()
base = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the highest resident memory, counts from here

training = Training(a.mode)
for _ in range(warm_up):
    training.step()
barrier()
sent, times = loopback(), [time.perf_counter()]
for _ in range(a.steps):  # no barrier between: every step ends with sums over all ranks, so rank 0's times are everyone's
    training.step()
    times.append(time.perf_counter())
barrier()
total, sent = time.perf_counter() - times[0], loopback() - sent
peak = torch.tensor([float(status("VmHWM") - base)])

losses = torch.tensor([loss for loss, _ in training.history], dtype=torch.float64)
norms = [norm for _, norm in training.history]
peaks = [peak]
if world > 1:
    peaks = [torch.zeros(1) for _ in range(world)]
    dist.all_gather(peaks, peak)
    dist.all_reduce(losses)
    losses /= 1 if a.mode == "tensor" else world  # parts of one mean, or means over the ranks' samples
    dist.destroy_process_group()
failed = False
if rank == 0:
    median = statistics.median(after - before for before, after in zip(times, times[1:]))
    result = dict(mode=a.mode, ranks=world, torch=torch.__version__, grid=[a.rows, a.columns],
                  patch=[a.patch_rows, a.patch_columns], variables=a.variables, auxiliaries=a.auxiliaries,
                  channels=a.channels, token_width=a.token_width, channel_width=a.channel_width, blocks=a.blocks,
                  output="residual", batch=a.batch, parameters=sum(p.numel() for p in training.parameters),
                  steps=a.steps, seconds_per_step=round(median, 5), mean_seconds_per_step=round(total / a.steps, 5),
                  samples_per_second=round(a.batch / median, 3),
                  peak_mib_per_rank=[round(p.item() / 2**20, 1) for p in peaks], base_mib=round(base / 2**20, 1),
                  sent_mib_per_rank_and_step=round(sent / 2**20 / world / a.steps, 3),
                  losses=losses.tolist(), gradient_norms=norms)
    if a.check:
        del training
        single = Training("single")
        for _ in range(compared):
            single.step()
        # Adam hides a wrong scale of the gradient from the losses, hence the norms.
        pairs = zip([x for pair in single.history for x in pair], [x for pair in zip(losses.tolist(), norms) for x in pair])
        result["difference_from_single"] = max(abs(x - y) / abs(x) for x, y in pairs)
    print(json.dumps(result), flush=True)
    failed = not result.get("difference_from_single", 0) <= 1e-4  # also when it is no number
    if failed:
        print("losses or gradient norms differ from those of one process", file=sys.stderr)
sys.stderr.flush()
# Not sys.exit: now and then a thread of gloo outlives the interpreter's objects and aborts the finished process.
os._exit(failed)
