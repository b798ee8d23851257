"""A closed-loop load: a fixed number of connections, each sending its next request at once."""

import http.client
import threading
import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What one run of load showed. Latencies in milliseconds, of answered requests only."""

    seconds: float
    latencies: tuple[float, ...]
    failures: int

    @property
    def throughput(self) -> float:
        """Answered requests per second."""
        return len(self.latencies) / self.seconds

    @property
    def p50(self) -> float:
        """Median latency in milliseconds."""
        return median(self.latencies)

    @property
    def p99(self) -> float:
        """99th percentile of the latency in milliseconds."""
        return sorted(self.latencies)[int(0.99 * (len(self.latencies) - 1))]


def closed_loop(
    url: str, body: bytes, content_type: str, *, connections: int, seconds: float
) -> Load:
    """Send ``body`` over and over for a bounded time.

    Anything but a 200 counts as a failure, a broken connection too.
    """
    target = urlsplit(url)
    latencies: list[float] = []
    failures: list[int] = []
    start = time.perf_counter()
    end = start + seconds

    def client() -> None:
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        while time.perf_counter() < end:
            sent = time.perf_counter()
            try:
                connection.request("POST", target.path, body, {"Content-Type": content_type})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                failures.append(0)
                connection.close()  # the next request opens it again
                time.sleep(0.05)  # a server that is gone must not be asked as fast as we can
                continue
            if answer.status == http.client.OK:
                latencies.append((time.perf_counter() - sent) * 1e3)
            else:
                failures.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(time.perf_counter() - start, tuple(latencies), len(failures))
