"""Requests that are cut off by the gateway's death: done as a whole, or not at all."""

import hashlib
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.rollouts.changes import PATH
from tests.rollouts.product import GATEWAY, until
from tests.rollouts.rollout import Rollout

_PADDING = 3_000_000  # bytes


def half_an_upload(rollout: Rollout, *victims: str) -> None:
    """Kill while half of an archive has arrived: nothing is left, and it can be sent again."""
    product = rollout.product
    version, archive = _archive(rollout, _PADDING)
    content = archive.read_bytes()
    head = (
        f"POST {PATH}/versions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {product.admin_key}\r\nContent-Length: {len(content)}\r\n"
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", product.ports["GATEWAY"])) as connection:
        connection.sendall(head.encode() + content[: len(content) // 2])
        until(lambda: _incoming(rollout) > 0, "half an upload")
        began = time.monotonic()
        product.kill(*victims)
    product.start()
    rollout.converge(f"half an upload: {'+'.join(victims)}", began)
    _send_again(rollout, archive, version)


def unanswered_upload(rollout: Rollout, delay_s: float) -> None:
    """Kill the gateway once it keeps the archive, or a moment later: it can be sent again."""
    version, archive = _archive(rollout, 0)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    thread = threading.Thread(target=_try, args=(rollout, archive, version))
    thread.start()
    until(
        (rollout.product.data_dir / "archives" / f"{sha256}.mar").exists, "the archive", every_s=0
    )
    time.sleep(delay_s)
    rollout.product.kill(GATEWAY)
    thread.join()
    rollout.product.start()
    _send_again(rollout, archive, version)


def unanswered_change(rollout: Rollout, delay_s: float) -> None:
    """Kill the gateway while it changes an alias: change and audit entry are there, or neither."""
    rollout.number += 1
    alias, why = f"next-{rollout.number}", f"alias {rollout.number}"
    answered: list[bool] = []

    def change() -> None:
        with rollout.product.admin() as admin:
            path = f"{PATH}/aliases/{alias}"
            body = {"version": rollout.ledger.stable, "why": why}
            try:
                answered.append(admin.put(path, json=body).is_success)
            except httpx.TransportError:
                answered.append(False)

    thread = threading.Thread(target=change)
    thread.start()
    time.sleep(delay_s)
    began = time.monotonic()
    rollout.product.kill(GATEWAY)
    thread.join()
    rollout.product.start()
    with rollout.product.admin() as admin:
        model = admin.get(PATH)
        entries: list[dict[str, Any]] = admin.get("/v1/admin/audit").json()["items"]
    is_done = why in [entry["why"] for entry in entries]
    assert is_done or answered == [False]
    assert (alias in model.json()["aliases"]) == is_done
    if is_done:
        rollout.ledger.note(model, why)
    rollout.converge(f"an alias, {delay_s * 1000:g} ms after it was sent: gateway", began)


def _archive(rollout: Rollout, padding: int) -> tuple[str, Path]:
    """A version that never was, and its archive; the one beside stable goes."""
    if other := rollout.other:
        rollout.retire(other)
    version = rollout.next_version()
    return version, rollout.colours.archive(version, rollout.next_network, padding)


def _incoming(rollout: Rollout) -> int:
    folder = rollout.product.data_dir / "archives"
    return sum(path.stat().st_size for path in folder.glob(".*.incoming"))


def _try(rollout: Rollout, archive: Path, version: str) -> None:
    with suppress(httpx.TransportError):
        rollout.send(archive, version)


def _send_again(rollout: Rollout, archive: Path, version: str) -> None:
    """A sender repeats what was not answered, and gets an answer as for the first time."""
    answer = rollout.add(archive, version)
    assert answer.status_code == httpx.codes.CREATED
    rollout.converge(f"{version} is sent again")
