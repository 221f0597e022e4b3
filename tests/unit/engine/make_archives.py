"""Writes TorchScript archives with all that PyTorch users do, and compares what came of them.

    make_archives.py write FOLDER
        one FOLDER/NAME.pt per model below; for those that PyTorch trains here as well also NAME.inputs
        (raw fp32 or int64), NAME.targets and NAME.trained: the flat vector after the training.
    make_archives.py compare FOLDER
        loads each FOLDER/NAME.pt in PyTorch and writes FOLDER/NAME.same: 1 where it answers the raw fp32
        NAME.inputs of shape NAME.shape as NAME.outputs says, to within 1e-5, else 0.

Exits with 77 where there is no PyTorch.
"""

import pathlib
import sys

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
        "vector_loss": VectorLoss(), "no_forward": NoForward(), "reassigned": Reassigned(), "growing": Growing(), "pair": Pair(),
        "dictionary": Dictionary(), "segments": Segments(), "any_length": AnyLength(),
        "casts_to_half": CastsToHalf().half(), "overlapping": Overlapping(), "picky": Picky(),
        "no_gradient": NoGradient(), "changes_input": ChangesInput(), "frozen": frozen(),
        "all_frozen": all_frozen(), "half": Mlp().half(), "double": Mlp().double(),
        "bfloat16": Mlp().bfloat16(),
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
           "images", "channels_last", "own_loss", "reassigned", "frozen", "double"]


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


def write_raw(path, tensor):
    tensor.contiguous().numpy().tofile(path)


def write(folder):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for name, model in models().items():
        torch.jit.script(model).save(f"{folder}/{name}.pt")
        if name in TRAINED:
            inputs, target = inputs_of(name)
            for i, each in enumerate(inputs):
                write_raw(f"{folder}/{name}.inputs{i}", each)
            write_raw(f"{folder}/{name}.targets", target)
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
