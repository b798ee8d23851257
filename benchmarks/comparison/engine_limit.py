"""The engine's own throughput on decoded images, measured as OpenVINO's benchmark does.

OpenVINO in throughput mode, static shape, several requests in flight, and nothing else in the
process: the limit that nothing around it can pass.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.setup.models import Model
from benchmarks.setup.settings import environment
from deeplab.decode import decode
from deeplab.engines import import_openvino
from deeplab.preprocess import min_long_side, preprocess
from deeplab.spec import read_spec

LEAST_PICTURES = 12  # fewer of a slow network would be noise


def engine_throughput(model: Model, jpeg: bytes, seconds: float) -> float:
    """Images per second of the engine alone, in a fresh process."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(jpeg)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.comparison.engine_limit"]
        command += [str(model.unpacked), file.name, str(seconds)]
        done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure and print; the arguments are ARCHIVE_FOLDER JPEG SECONDS."""
    folder, photograph, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    spec = read_spec(folder / "model.json")
    pixels = preprocess(decode(photograph.read_bytes(), min_long_side(spec.input)), spec.input)
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
    while time.perf_counter() - start < seconds or count < LEAST_PICTURES:
        queue.start_async({0: pixels})
        count += 1
    queue.wait_all()
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
