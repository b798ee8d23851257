"""Free ports for the servers of benchmarks and tests."""

import random
import socket


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that are free now.

    Below those that the system gives to outgoing connections, one of which could take a port
    between this look and its use.
    """
    candidates = random.sample(range(20_000, 32_000), 20 * count)
    return [port for port in candidates if _is_free(port)][:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
