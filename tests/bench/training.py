"""training.py MODEL.pt STEPS BATCH: trains on random batches with PyTorch, and prints the median of the seconds that
five times STEPS steps took."""
import statistics
import sys
import time

import torch

torch.set_num_threads(1)
model = torch.jit.load(sys.argv[1])
steps, batch = int(sys.argv[2]), int(sys.argv[3])
inputs = torch.randn(steps * batch, 6, 50)
classes = torch.randint(0, 2, (steps * batch,))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)


def train():
    begun = time.perf_counter()
    order = torch.randperm(len(inputs)).split(batch)
    for numbers in order:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs[numbers]), classes[numbers])
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


train()  # TorchScript compiles in the first calls
print(statistics.median(train() for _ in range(5)))
