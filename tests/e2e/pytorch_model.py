"""Saves a model as a PyTorch user would, or loads one back and says what it answers.

    pytorch_model.py save FILE           scripts a small network with batch normalisation and saves it
    pytorch_model.py load FILE [VALUES]  loads an exported archive, prints its parameter count and its answer to ones
"""
import sys

import torch


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv1d(6, 8, 5, padding=2)
        self.normalisation = torch.nn.BatchNorm1d(8)
        self.answer = torch.nn.Linear(8, 5)

    def forward(self, x):
        hidden = torch.relu(self.normalisation(self.convolution(x)))
        return self.answer(hidden.mean(dim=2))


def main():
    action, path = sys.argv[1:3]
    if action == "save":
        torch.manual_seed(1)
        torch.jit.script(Network()).save(path)
        return
    model = torch.jit.load(path)
    model.eval()
    answer = model(torch.ones(1, 6, 50))
    assert answer.shape == (1, 5) and bool(torch.isfinite(answer).all())
    print("parameters", sum(parameter.numel() for parameter in model.parameters()))
    print("mean", float(model.normalisation.running_mean.abs().sum()))
    print("batches", int(model.normalisation.num_batches_tracked))


main()
