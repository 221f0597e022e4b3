"""Writes TorchScript archives with all that PyTorch users do, and compares what came of them.

    make_archives.py write FOLDER
        one FOLDER/NAME.pt per model below; for those that PyTorch trains here as well also NAME.inputs
        (raw fp32 or int64), NAME.targets and NAME.trained: the flat vector after the training; for some also
        NAME.PLAN, the same after training by one of the plans below on the batches that FOLDER/batches lists,
        one a line.
    make_archives.py compare FOLDER
        loads each FOLDER/NAME.pt in PyTorch and writes FOLDER/NAME.same: 1 where it answers the raw fp32
        NAME.inputs of shape NAME.shape as NAME.outputs says, to within 1e-5, else 0.

Exits with 77 where there is no PyTorch.
"""

import copy
import pathlib
import sys
from typing import Optional

try:
    import torch
except ImportError:
    sys.exit(77)

from torch import nn
import torch.nn.functional as F


class BatchNorm(nn.Module):
    def __init__(self, momentum=0.1):
        super().__init__()
        self.first = nn.Linear(6, 16)
        self.norm = nn.BatchNorm1d(16, momentum=momentum)
        self.second = nn.Linear(16, 2)

    def forward(self, x):
        return self.second(torch.relu(self.norm(self.first(x))))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.second = nn.Linear(4, 8)
        self.last = nn.Linear(8, 2)

    def forward(self, x, z):
        return self.last(torch.tanh(self.first(x) + self.second(z)))


class TwoInputsOwnLoss(TwoInputs):
    @torch.jit.export
    def loss(self, x, z, y):
        return F.cross_entropy(self.forward(x, z), y, label_smoothing=0.1)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.mix = nn.Linear(8, 8)
        self.output = nn.Linear(8, 10, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, x):
        return self.output(torch.tanh(self.mix(self.embedding(x).mean(1))))


class SparseEmbedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8, sparse=True)
        self.output = nn.Linear(8, 10)

    def forward(self, x):
        return self.output(self.embedding(x).mean(1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 16)
        self.second = nn.Linear(16, 2)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Unused(Mlp):
    def __init__(self):
        super().__init__()
        self.spare = nn.Parameter(torch.ones(3))


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.output = nn.Linear(8, 2)

    def forward(self, x):
        return self.output(torch.relu(self.conv(x)).mean([2, 3]))


class Dropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 32)
        self.second = nn.Linear(32, 2)

    def forward(self, x):
        return self.second(F.dropout(torch.relu(self.first(x)), 0.5, self.training))


class OwnLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        return self.linear(x)

    @torch.jit.export
    def loss(self, x, y):
        return F.smooth_l1_loss(self.forward(x), y)


class VectorLoss(OwnLoss):
    @torch.jit.export
    def loss(self, x, y):
        return (self.forward(x) - y).abs()


class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)

    @torch.jit.export
    def answer(self, x):
        return self.linear(x)


class Reassigned(nn.Module):
    """Assigns its buffer instead of changing it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0).detach()
        return self.linear(x - self.mean)


class Sparsifying(nn.Module):
    """Makes its buffer sparse."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("mean", torch.ones(1, 6))

    def forward(self, x):
        y = self.linear(x + self.mean.to_dense())
        self.mean = self.mean.to_dense().to_sparse()
        return y


class Handing(nn.Module):
    """Hands one buffer's tensor to the other."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("last", torch.full((1,), 1.0))
        self.register_buffer("before", torch.full((1,), 2.0))

    def forward(self, x):
        if self.training:
            self.before = self.last
            self.last = torch.full((1,), 3.0)
        return self.linear(x)


class Growing(nn.Module):
    """Gives its buffer another shape."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("steady", torch.zeros(6))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        if self.training:
            self.steady = self.steady + 1.0
            self.seen = torch.cat([self.seen, x.detach().sum().view(1)])
        return self.linear(x)


class Pair(Mlp):
    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        return y, y.argmax(1)


class Dictionary(Mlp):
    def forward(self, x):
        return {"scores": self.second(torch.relu(self.first(x)))}


class Segments(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 2, 1)

    def forward(self, x):
        return self.conv(x.unsqueeze(2).expand(-1, -1, 4))


class AnyLength(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 8, 9)
        self.output = nn.Linear(8, 2)

    def forward(self, x):
        return self.output(torch.relu(self.conv(x)).mean(2))


class CastsToHalf(Mlp):
    def forward(self, x):
        return self.second(torch.relu(self.first(x.to(torch.float16))))


class Overlapping(nn.Module):
    def __init__(self):
        super().__init__()
        whole = torch.ones(10)
        self.first = nn.Parameter(whole[:6])
        self.second = nn.Parameter(whole[4:])

    def forward(self, x):
        return torch.stack([x * self.first, x * self.second], 1).sum(2)


class Picky(Mlp):
    def forward(self, x):
        if bool((x > 100).any()):
            raise ValueError("values above 100 are not plausible")
        return self.second(torch.relu(self.first(x)))


class NoGradient(Mlp):
    def forward(self, x):
        return self.second(torch.relu(self.first(x))).detach()


class ChangesInput(Mlp):
    def forward(self, x):
        return self.second(torch.relu(self.first(x.mul_(2))))


class Squeezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        return self.linear(x).squeeze()


class Standardised(nn.Module):
    """Takes windows of any length, of which it needs 9 samples that are not all the same."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 8, 9)
        self.output = nn.Linear(8, 2)

    def forward(self, x):
        x = (x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True)
        return self.output(torch.relu(self.conv(x)).mean(2))


class Infinite(Mlp):
    def forward(self, x):
        return self.second(torch.relu(self.first(x))) / (x - x).sum(1, keepdim=True)


class NanAbove(Mlp):
    """Answers NaN for examples whose first value is above 1."""

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        return torch.where(x[:, :1] > 1.0, torch.full_like(y, float("nan")), y)


class UsedOnce(Mlp):
    """Has a branch that only the first batch of a training goes through."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(6, 2)
        self.calls = 0

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        if self.training:
            if self.calls == 0:
                y = y + self.extra(x)
            self.calls = self.calls + 1
        return y


class OptionalBuffer(nn.Module):
    mean: Optional[torch.Tensor]
    nothing: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("nothing", None)

    def forward(self, x):
        mean = self.mean
        assert mean is not None
        if self.training:
            mean = 0.5 * mean + 0.5 * x.mean(0).detach()
            self.mean = mean
        return self.linear(x - mean)


class ComplexBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("turn", torch.full((6,), 1j))

    def forward(self, x):
        return self.linear((x * self.turn).imag)


class Counting(nn.Module):
    """Counts whatever it sees, in evaluation mode too, in every way there is."""

    seen: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.register_buffer("total", torch.zeros(6))
        self.register_buffer("seen", None)
        self.register_buffer("batches", torch.tensor(0))
        self.plain = torch.tensor(0)
        self.tied = self.plain
        self.wide = torch.zeros(1, dtype=torch.int64).expand(2)
        self.hidden = (torch.zeros(1), 0)
        self.calls = 0
        self.turn = 1j

    def forward(self, x):
        hidden, steps = self.hidden
        y = self.linear(x + self.total) + self.batches + self.plain + self.tied + self.calls
        y = y + self.wide.sum() + hidden.sum() + self.hidden[0].dim() + steps + abs(self.turn)
        seen = self.seen
        if seen is not None:
            y = y + seen.sum()
        self.total += x.detach().mean(0)
        self.seen = x.detach().mean(0)
        self.batches += 1
        self.batches.data.add_(1)
        self.tied.data.add_(1)
        self.wide.data[0] += 1
        self.plain = self.plain + 1
        hidden.add_(x.detach().mean()).unsqueeze_(0)
        self.hidden = (hidden + 1, steps + 1)
        self.calls += 1
        self.turn = self.turn + 1
        return y


class Remembering(nn.Module):
    """Adds what it answered to the same place of the batch before."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.last = torch.zeros(1, 2)

    def forward(self, x):
        y = self.linear(x) + self.last
        self.last = y.detach()
        return y


class Halving(Mlp):
    """Changes its weights whenever it runs."""

    def forward(self, x):
        self.second.weight.data.mul_(0.5)
        return self.second(torch.relu(self.first(x)))


class Noisy(Mlp):
    """Draws random numbers in evaluation mode too."""

    def forward(self, x):
        return self.second(F.dropout(torch.relu(self.first(x)), 0.5, True))


class SharingAttribute(nn.Module):
    """Looks at part of its weights through an attribute."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.row = self.linear.weight.detach()[1]

    def forward(self, x):
        return self.linear(x) + self.row.sum()


class SharingFrozen(Mlp):
    def __init__(self):
        super().__init__()
        self.row = nn.Parameter(self.first.weight.detach()[1], requires_grad=False)


class SparseParameter(Mlp):
    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.eye(6).to_sparse())

    def forward(self, x):
        return self.second(torch.relu(self.first(torch.sparse.mm(self.mix, x.t()).t())))


def frozen():
    model = Mlp()
    for parameter in model.first.parameters():
        parameter.requires_grad_(False)
    return model


def all_frozen():
    return Mlp().requires_grad_(False)


def models():
    return {
        "batchnorm": BatchNorm(), "cumulative_batchnorm": BatchNorm(momentum=None), "two_inputs": TwoInputs(),
        "two_inputs_own_loss": TwoInputsOwnLoss(), "tied": Tied(), "sparse": SparseEmbedding(), "mlp": Mlp(),
        "unused": Unused(), "images": Images(), "dropout": Dropout(), "own_loss": OwnLoss(),
        "vector_loss": VectorLoss(), "no_forward": NoForward(), "reassigned": Reassigned(), "growing": Growing(),
        "sparsifying": Sparsifying(), "handing": Handing(), "pair": Pair(),
        "dictionary": Dictionary(), "segments": Segments(), "any_length": AnyLength(),
        "casts_to_half": CastsToHalf().half(), "overlapping": Overlapping(), "picky": Picky(),
        "no_gradient": NoGradient(), "changes_input": ChangesInput(), "frozen": frozen(),
        "all_frozen": all_frozen(), "half": Mlp().half(), "double": Mlp().double(),
        "bfloat16": Mlp().bfloat16(), "squeezed": Squeezed(), "standardised": Standardised(),
        "infinite": Infinite(), "nan_above": NanAbove(), "used_once": UsedOnce(),
        "optional_buffer": OptionalBuffer(), "complex_buffer": ComplexBuffer(), "counting": Counting(),
        "remembering": Remembering(),
        "halving": Halving(), "noisy": Noisy(), "sparse_parameter": SparseParameter(),
        "sharing_attribute": SharingAttribute(), "sharing_frozen": SharingFrozen(),
        "channels_last": Images().to(memory_format=torch.channels_last),
    }


def flat(model):
    """The trained parameters, then the float buffers, each once."""
    parts = [p for p in model.parameters() if p.requires_grad]
    parts += [b for b in model.buffers() if b.is_floating_point()]
    return torch.cat([part.detach().float().contiguous().view(-1) for part in parts])


def inputs_of(name):
    if name in ("tied", "sparse"):
        return [torch.randint(0, 10, (24, 5))], torch.randint(0, 10, (24,))
    if name in ("images", "channels_last"):
        return [torch.randn(24, 3, 8, 8)], torch.randint(0, 2, (24,))
    if name in ("two_inputs", "two_inputs_own_loss"):
        return [torch.randn(24, 6), torch.randn(24, 4)], torch.randint(0, 2, (24,))
    if name == "own_loss":
        return [torch.randn(24, 6)], torch.randn(24, 1)
    return [torch.randn(24, 6)], torch.randint(0, 2, (24,))


TRAINED = ["batchnorm", "cumulative_batchnorm", "two_inputs", "two_inputs_own_loss", "tied", "sparse", "mlp",
           "images", "channels_last", "own_loss", "reassigned", "frozen", "double", "optional_buffer",
           "complex_buffer"]

# By plan: the optimiser, the largest norm of a gradient, and mu of the proximal term.
PLANS = {
    "momentum": (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), 0.1, 0.0),
    "adam": (lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.01), 0.0, 0.0),
    "slow_adam": (lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9999, 0.9999999)), 0.0, 0.0),
    "proximal": (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5), 0.0, 0.5),
    "everything": (lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-4, weight_decay=0.01), 0.1, 0.5),
}

TRAINED_BY_PLAN = ["mlp", "batchnorm", "used_once"]


def train(model, inputs, target):
    """Ten steps over all examples: learning rate 0.1, gradients clipped to a norm of 1."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        own = hasattr(model, "loss")
        loss = model.loss(*inputs, target) if own else F.cross_entropy(model(*inputs), target)
        loss.backward()
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def train_by_plan(model, inputs, target, plan, batches):
    make_optimizer, clip, mu = PLANS[plan]
    model.train()
    parameters = list(model.parameters())
    start = [parameter.detach().clone() for parameter in parameters]
    optimizer = make_optimizer(parameters)
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(inputs[batch]), target[batch])
        if mu > 0:
            loss = loss + mu / 2 * sum(((p - s) ** 2).sum() for p, s in zip(parameters, start))
        loss.backward()
        if clip > 0:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()


def write_by_plan(folder, name, model, inputs, target):
    lines = pathlib.Path(folder, "batches").read_text().splitlines()
    batches = [[int(number) for number in line.split()] for line in lines]
    for plan in PLANS:
        trained = copy.deepcopy(model)
        train_by_plan(trained, inputs, target, plan, batches)
        write_raw(f"{folder}/{name}.{plan}", flat(trained))


def write_raw(path, tensor):
    tensor.contiguous().numpy().tofile(path)


def write(folder):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for name, model in models().items():
        torch.jit.script(model).save(f"{folder}/{name}.pt")
        if name not in TRAINED + TRAINED_BY_PLAN:
            continue
        inputs, target = inputs_of(name)
        for i, each in enumerate(inputs):
            write_raw(f"{folder}/{name}.inputs{i}", each)
        write_raw(f"{folder}/{name}.targets", target)
        if name in TRAINED_BY_PLAN:
            write_by_plan(folder, name, model, inputs[0], target)
        if name in TRAINED:
            if name == "double":
                inputs = [each.double() for each in inputs]
            train(model, inputs, target)
            write_raw(f"{folder}/{name}.trained", flat(model))
    torch.jit.freeze(torch.jit.script(Mlp().eval())).save(f"{folder}/jit_frozen.pt")
    torch.jit.trace(Mlp(), torch.zeros(2, 6)).save(f"{folder}/traced.pt")
    torch.save(Mlp().state_dict(), f"{folder}/state_dict.pt")


def read_raw(path):
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float32)


def compare(folder):
    torch.set_num_threads(1)
    for path in pathlib.Path(folder).glob("*.pt"):
        model = torch.jit.load(str(path)).eval()
        shape = [int(size) for size in path.with_suffix(".shape").read_text().split()]
        answers = model(read_raw(path.with_suffix(".inputs")).view(*shape)).detach().view(-1)
        wanted = read_raw(path.with_suffix(".outputs"))
        same = torch.allclose(answers, wanted, rtol=1e-5, atol=1e-5)
        trainable = all(parameter.requires_grad for parameter in model.parameters())
        path.with_suffix(".same").write_text("1" if same and trainable else "0")


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](*sys.argv[2:])
