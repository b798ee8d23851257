"""Prints how many decoded pictures a second the engine can segment, as its makers measure it.

``python -m benchmarks.engine_limit ARCHIVE_FOLDER SECONDS``: OpenVINO in throughput mode, static
shape, several requests in flight, nothing else in the process.
"""

import sys
import time
from pathlib import Path

from deeplab.decode import decode
from deeplab.engines import import_openvino
from deeplab.preprocess import preprocess
from deeplab.spec import read_spec


def main() -> None:
    """Measure and print."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    spec = read_spec(folder / "model.json")
    jpeg = (folder / "photograph.jpg").read_bytes()
    pixels = preprocess(decode(jpeg, spec.input.long_side), spec.input)
    ov = import_openvino()
    core = ov.Core()
    model = core.read_model(folder / "network" / spec.artefact)
    model.reshape(list(pixels.shape))
    options: dict[str, object] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if spec.precision == "f32":
        options["INFERENCE_PRECISION_HINT"] = "f32"
    queue = ov.AsyncInferQueue(core.compile_model(model, "CPU", options))
    for _ in range(len(queue) * 2):
        queue.start_async({0: pixels})
    queue.wait_all()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        queue.start_async({0: pixels})
        count += 1
    queue.wait_all()
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
