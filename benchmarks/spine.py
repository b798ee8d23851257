"""Engine, TorchServe and gateway in turn on the same photograph: ``python -m benchmarks.spine``.

The engine runs in a process of its own on pictures that are already decoded: the limit that
nothing around it can pass. Needs a running product (``make run``).
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import httpx
from PIL import Image

from benchmarks.load import Load, closed_loop

ROOT = Path(__file__).resolve().parent.parent
PHOTOGRAPH = ROOT / "ui" / "examples" / "cat.jpg"
SIZE = (640, 480)
BOUNDARY = "segserve-benchmark"


@dataclass(frozen=True)
class Result:
    """Medians over the rounds. Ratios are of values measured in the same round."""

    rounds: int
    connections: int
    engine_per_s: float
    torchserve_per_s: float
    gateway_per_s: float
    torchserve_vs_engine: float
    gateway_vs_engine: float
    gateway_vs_engine_min: float
    gateway_vs_engine_max: float
    torchserve_p50_ms: float
    gateway_p50_ms: float
    gateway_overhead_ms: float
    failures: int


@dataclass(frozen=True)
class Round:
    """One turn: the engine alone (pictures per second), then the load with many connections and
    with one, on TorchServe directly and through the gateway."""

    engine: float
    direct: Load
    through: Load
    direct_alone: Load
    through_alone: Load

    @property
    def loads(self) -> tuple[Load, ...]:
        """All four loads."""
        return (self.direct, self.through, self.direct_alone, self.through_alone)


def photograph() -> bytes:
    """The cat as a JPEG of 640 x 480."""
    buffer = io.BytesIO()
    Image.open(PHOTOGRAPH).convert("RGB").resize(SIZE).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def form(jpeg: bytes) -> bytes:
    """The multipart body of the drop-in endpoint."""
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        'name="file"; filename="cat.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return head.encode() + jpeg + f"\r\n--{BOUNDARY}--\r\n".encode()


def engine_throughput(archive: Path, seconds: float) -> float:
    """Pictures per second of the engine alone, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
        (Path(folder) / "photograph.jpg").write_bytes(photograph())
        command = [sys.executable, "-m", "benchmarks.engine_limit", folder, str(seconds)]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "handler")}
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def measure(options: argparse.Namespace) -> Result:
    """All three in turn, as often as asked for."""
    model = httpx.get(f"{options.gateway}/readyz").json()
    archive = ROOT / "model_store" / f"{model['model']}-{model['version']}.mar"
    predict = f"{options.torchserve}/predictions/{model['model']}/{model['version']}"
    jpeg = photograph()
    targets = (
        (predict, jpeg, "application/octet-stream"),
        (
            f"{options.gateway}/segmentation",
            form(jpeg),
            f"multipart/form-data; boundary={BOUNDARY}",
        ),
    )
    rounds = [
        Round(
            engine_throughput(archive, options.seconds),
            *(
                closed_loop(*target, connections=connections, seconds=options.seconds)
                for connections in (options.connections, 1)
                for target in targets
            ),
        )
        for _ in range(options.rounds)
    ]
    return summarise(rounds, options.connections)


def summarise(rounds: Sequence[Round], connections: int) -> Result:
    """The medians over the rounds."""
    shares = [each.through.throughput / each.engine for each in rounds]
    return Result(
        rounds=len(rounds),
        connections=connections,
        engine_per_s=median(each.engine for each in rounds),
        torchserve_per_s=median(each.direct.throughput for each in rounds),
        gateway_per_s=median(each.through.throughput for each in rounds),
        torchserve_vs_engine=median(each.direct.throughput / each.engine for each in rounds),
        gateway_vs_engine=median(shares),
        gateway_vs_engine_min=min(shares),
        gateway_vs_engine_max=max(shares),
        torchserve_p50_ms=median(each.direct_alone.p50 for each in rounds),
        gateway_p50_ms=median(each.through_alone.p50 for each in rounds),
        gateway_overhead_ms=median(
            each.through_alone.p50 - each.direct_alone.p50 for each in rounds
        ),
        failures=sum(load.failures for each in rounds for load in each.loads),
    )


def main() -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", default="http://127.0.0.1:8000")
    parser.add_argument("--torchserve", default="http://127.0.0.1:8080")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--connections", type=int, default=4)
    result = measure(parser.parse_args())
    print(json.dumps({k: round(v, 3) for k, v in asdict(result).items()}, indent=2))


if __name__ == "__main__":
    main()
