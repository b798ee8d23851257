"""The client of the gateways: reports what is, gets what should be, and archives."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.http_json import Answer, CallError, call, send_file
from agent.messages import Desired, MessageError, Report, parse_desired

BEAT_S = 3.0
TRANSFER_S = 60.0  # between two reads or writes
OK = 200
REFUSALS = (400, 409, 413, 422)
TOKEN = re.compile(r"[!-~]+")


class GatewayError(RuntimeError):
    """No gateway answered; the text is one line."""


class RefusalError(CallError):
    """A gateway answered that it does not take this, now or later."""


class Gateways:
    """The gateways, of which the last one that answered is asked."""

    def __init__(self, urls: Sequence[str], token_file: Path, token: str) -> None:
        self._urls = list(urls)
        self._token_file, self._token = token_file, token

    @property
    def headers(self) -> dict[str, str]:
        """The header with the token; read each time: the gateway makes it at its first start."""
        token = self._token
        if not token:
            try:
                token = self._token_file.read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                return {}
        return {"Authorization": f"Bearer {token}"} if TOKEN.fullmatch(token) else {}

    def archive_url(self, sha256: str) -> str:
        """The address of an archive at the gateway that answered last."""
        return f"{self._urls[0]}/v1/agent/archives/{sha256}"

    def post(self, path: str, body: object) -> dict[str, Any]:
        """Post JSON to the gateway that answered last. Raises CallError."""
        url = self._urls[0]
        answer = call("POST", url + path, headers=self.headers, body=body, timeout_s=TRANSFER_S)
        return _table(url, answer)

    def put(self, path: str, query: Mapping[str, object], file: Path) -> dict[str, Any]:
        """Send a file to the gateway that answered last. Raises CallError."""
        url = self._urls[0]
        answer = send_file(url + path, query, self.headers, file, TRANSFER_S)
        return _table(url, answer)

    def beat(self, report: Report) -> Desired:
        """Report, and get the desired state. Raises GatewayError, with the last one's reason."""
        reason = "no gateway"
        for _ in range(len(self._urls)):
            try:
                return self._ask(self._urls[0], report)
            except (CallError, MessageError) as exc:
                reason = str(exc)
                # A new list: a seed may be being offered, or an archive fetched, meanwhile.
                self._urls = [*self._urls[1:], self._urls[0]]
        raise GatewayError(reason)

    def _ask(self, url: str, report: Report) -> Desired:
        answer = call(
            "POST",
            f"{url}/v1/agent/heartbeat",
            headers=self.headers,
            body=report.to_json(),
            timeout_s=BEAT_S,
        )
        return parse_desired(_table(url, answer))


def _table(url: str, answer: Answer) -> dict[str, Any]:
    if answer.status != OK:
        kind = RefusalError if answer.status in REFUSALS else CallError
        raise kind(f"{url} answered {answer.status}: {_detail(answer)}")
    table = answer.json()
    if not isinstance(table, dict):
        raise CallError(f"{url} answered what is not an object")
    return table


def _detail(answer: Answer) -> str:
    """The sentence of a problem document, or the beginning of another body."""
    try:
        return str(answer.json()["detail"])
    except (CallError, KeyError, TypeError):
        return " ".join(answer.body[:200].decode(errors="replace").split())
