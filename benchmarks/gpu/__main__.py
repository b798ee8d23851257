"""The handler on a GPU: ``segserve bench gpu`` writes benchmarks/results/gpu.json and .md.

For each model: the least that a picture needs of the device (its roofline), what the engine takes
for batches of several sizes, and how many photographs a second the handlers of some workers give.
TorchServe and the gateway are not in it.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks.comparison.report import row
from benchmarks.gpu.roofline import Ceilings, ceilings, network_cost
from benchmarks.setup.models import NAMES, Model, prepare
from benchmarks.setup.photographs import usual
from benchmarks.setup.settings import ROOT, environment
from deeplab.decode import decode
from deeplab.engines import load_engine
from deeplab.preprocess import min_long_side, preprocess
from deeplab.spec import read_spec
from deeplab.torch_engine import LARGEST_BATCH, TorchEngine
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint

RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
BATCHES = (1, 4, LARGEST_BATCH)
REPEATS = 20


def measure(model: Model, limits: Ceilings, workers: Sequence[int], seconds: float) -> Any:
    """Measure one model; its figures for JSON."""
    folder = model.unpacked / "network"
    spec = read_spec(model.unpacked / "model.json")
    pixels = preprocess(decode(usual().jpeg, min_long_side(spec.input)), spec.input)
    network = load_checkpoint(ModelChoice(model.architecture, model.weights)).network
    least = network_cost(network, pixels.shape[1:3], LARGEST_BATCH, limits)
    engine = load_engine(folder, spec, threads=0)
    if not isinstance(engine, TorchEngine):
        raise TypeError(f"the archive of {model.name} is for {engine.name}")
    by_batch = {batch: _engine_ms(engine, pixels.repeat(batch, axis=0)) for batch in BATCHES}
    handlers = [
        {"workers": count, "batch": batch, "per_s": round(rate, 1)}
        for count in workers
        for batch, rate in _handlers(model, count, seconds).items()
    ]
    most = max(each["per_s"] for each in handlers)
    return {
        "precision": engine.precision,
        "size": list(pixels.shape[1:3]),
        "gflop": round(least.flops / 1e9, 2),
        "megabytes": round(least.bytes / 1e6, 1),
        "roofline_per_s": round(1 / least.seconds, 1),
        "engine_ms": {batch: round(ms, 3) for batch, ms in by_batch.items()},
        "engine_share": round(max(b / ms for b, ms in by_batch.items()) * 1e3 * least.seconds, 3),
        "handlers": handlers,
        "handlers_share": round(most * least.seconds, 3),
    }


def _engine_ms(engine: TorchEngine, pixels: Any) -> float:
    """Median time for a batch, from host memory to host memory."""
    times = []
    for _ in range(3 + REPEATS):
        start = perf_counter()
        engine.batch(pixels)
        times.append((perf_counter() - start) * 1e3)
    return median(times[3:])


def _handlers(model: Model, count: int, seconds: float) -> dict[int, float]:
    """Batch -> photographs a second of ``count`` workers together."""
    with _started(model, count) as workers:
        return {batch: _together(workers, batch, seconds) for batch in BATCHES}


@contextmanager
def _started(model: Model, count: int) -> Iterator[list["subprocess.Popen[str]"]]:
    command = [sys.executable, "-m", "benchmarks.gpu.worker", str(model.unpacked)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [
        subprocess.Popen(command, cwd=ROOT, env=environment(), **pipes) for _ in range(count)
    ]
    try:
        for worker in workers:
            _line(worker)
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _together(workers: Sequence["subprocess.Popen[str]"], batch: int, seconds: float) -> float:
    for worker in workers:
        print(batch, seconds, file=worker.stdin, flush=True)
    return sum(int(_line(worker)) for worker in workers) / seconds


def _line(worker: "subprocess.Popen[str]") -> str:
    line = worker.stdout.readline() if worker.stdout else ""
    if not line:
        raise RuntimeError("a worker ended; its last words are above")
    return line


def table(results: dict[str, Any]) -> str:
    """Markdown: a row for each model."""
    head = ["model", "a picture needs", "roofline", "engine, batch 1", "engine, best", "handlers"]
    lines = [row(head), row(["---"] * len(head))]
    for name in NAMES:
        if name not in results:
            continue
        found = results[name]
        best = max(found["handlers"], key=lambda handlers: handlers["per_s"])
        rates = {int(batch): 1e3 * int(batch) / ms for batch, ms in found["engine_ms"].items()}
        cells = [
            name,
            f"{found['gflop']} GFLOP, {found['megabytes']} MB",
            f"{found['roofline_per_s']:.0f}/s",
            f"{rates[1]:.0f}/s",
            f"{max(rates.values()):.0f}/s, {found['engine_share']:.1%}",
            f"{best['per_s']:.0f}/s, {found['handlers_share']:.1%} "
            f"({best['workers']} workers, batches of {best['batch']})",
        ]
        lines.append(row(cells))
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 when complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    cores = os.cpu_count() or 1
    some = sorted({1, max(1, cores // 4), max(1, cores // 2), cores})
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--workers", nargs="+", type=int, default=some)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("benchmarks: this needs a CUDA device", file=sys.stderr)
        return 1
    limits = ceilings()
    torch.cuda.empty_cache()
    results: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "cores": cores,
        "torch": torch.__version__,
        "tflops": round(limits.flops / 1e12, 1),
        "terabytes_per_s": round(limits.bytes / 1e12, 2),
    }
    for name in options.models:
        model = prepare(name, device="cuda")
        results[name] = measure(model, limits, options.workers, options.seconds)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(results, indent=2) + "\n")
        options.output.with_suffix(".md").write_text(table(results))
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
