"""serving_peer.py PORT MODEL.pt DIMENSION...: the service that most people would write: FastAPI, uvicorn and PyTorch. It takes
the raw floats of one example and answers with the raw floats of the output, which is less than JSON would cost it."""
import sys

import numpy
import torch
import uvicorn
from fastapi import FastAPI, Request, Response

torch.set_num_threads(1)
model = torch.jit.load(sys.argv[2]).eval()
shape = [1] + [int(size) for size in sys.argv[3:]]
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    values = numpy.frombuffer(await request.body(), dtype=numpy.float32).reshape(shape)
    with torch.inference_mode():
        output = model(torch.from_numpy(values.copy()))
    return Response(output.numpy().tobytes(), media_type="application/octet-stream")


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
