"""The gateway's administration over HTTP; the only module of scripts/ that knows its paths."""

import ipaddress
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.archives.archive import MODEL
from scripts.prediction.gateway import authorization, no_answer

Json = dict[str, Any]
NODES, AUDIT = "/v1/admin/nodes", "/v1/admin/audit"
ADMIN_TOKEN: Final = "admin-token"  # noqa: S105 - the file's name
TIMEOUT_S: Final = 30.0
ARCHIVE_S: Final = 180.0  # the gateway reads an archive to its end before it answers
TRIES: Final = 3
_PAGE: Final = 200
_BYTES: Final = "application/octet-stream"


class AdministrationError(RuntimeError):
    """The gateway refused or is not there; the text is one line that says what to do."""


class ChangedMeanwhileError(AdministrationError):
    """Another change came first: the etag is no longer that of the state."""


class UnknownError(AdministrationError):
    """There is no such version, alias or node."""


class NotNowError(AdministrationError):
    """The gateway does not answer, or cannot now; later it may."""


class LostAnswerError(NotNowError):
    """What was sent may have been done: the answer did not come."""


@dataclass(frozen=True)
class Address:
    """A gateway, the key to show there, and the file that the key is from, if it is."""

    url: str
    key: str | None
    token_file: Path


def address_of(url: str, key: str | None, data_dir: Path) -> Address:
    """The gateway at ``url``; without a key, one on this machine gets the token of its user."""
    file = data_dir / ADMIN_TOKEN
    if key is None and _is_loopback(url):
        try:
            key = file.read_text(encoding="ascii").strip() or None
        except (OSError, ValueError):
            key = None
    return Address(url, key, file)


def _is_loopback(url: str) -> bool:
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Gateway:
    """The administration of one model. etag: what changes are based on; None: the newest state."""

    def __init__(
        self,
        address: Address,
        etag: str | None = None,
        transport: httpx.BaseTransport | None = None,
        model: str = MODEL,
    ) -> None:
        self._address = address
        self._etag = etag
        self.model = model
        # The gateway is given by address: a proxy of the environment has no place in between.
        try:
            self._http = httpx.Client(
                base_url=address.url,
                headers=authorization(address.key),
                timeout=TIMEOUT_S,
                transport=transport,
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as exc:
            raise AdministrationError(no_answer(address.url, exc)) from exc

    @property
    def of_model(self) -> str:
        """The path of the model."""
        return f"/v1/admin/models/{self.model}"

    def version_path(self, version: str) -> str:
        """The path of a version."""
        return f"{self.of_model}/versions/{version}"

    def read(self, path: str, **query: str | int | None) -> Json:
        """One document. Raises AdministrationError."""
        return _object(self._send("GET", path, query))

    def items(self, path: str, most: int | None = None, **query: str | int) -> list[Json]:
        """A list with all its pages, or its first ``most`` items."""
        found: list[Json] = []
        cursor = None
        while True:
            limit = _PAGE if most is None else min(_PAGE, most - len(found))
            page = self.read(path, limit=limit, cursor=cursor, **query)
            found += page["items"]
            cursor = page["next"]
            if cursor is None or len(found) == most:
                return found

    def versions(self) -> list[Json]:
        """All versions, retired ones too; none if the model is unknown."""
        try:
            return self.items(f"{self.of_model}/versions")
        except UnknownError:
            return []

    def version(self, name: str) -> Json:
        """One version with all facts. Raises AdministrationError naming those that exist."""
        try:
            return self.read(self.version_path(name))
        except UnknownError as exc:
            have = ", ".join(each["version"] for each in self.versions()) or "none"
            raise UnknownError(f"there is no version {name}; there are: {have}") from exc

    def etag(self) -> str:
        """What a change is based on: what was given, else the model's state now."""
        if self._etag is not None:
            return f'"{self._etag.strip(chr(34))}"'
        return str(self._send("GET", self.of_model, {}).headers["ETag"])

    @property
    def may_repeat(self) -> bool:
        """Whether a change may be tried again on a newer state."""
        return self._etag is None

    def change(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        etag: str | None = None,
        **query: str | int | None,
    ) -> Json:
        """Change something; the answer, empty for one without a body.

        A POST that got no answer is sent again with the same Idempotency-Key.
        """
        headers = {"If-Match": etag} if etag else {}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        tries = TRIES if method == "POST" else 1
        answer = self._send(method, path, query, headers, tries, json=body)
        return _object(answer) if answer.content else {}

    def upload(self, chunks: Iterable[bytes], **query: str | int | None) -> tuple[Json, bool]:
        """Add a version; (the version, whether it is new). Raises AdministrationError."""
        headers = {"Content-Type": _BYTES, "Idempotency-Key": uuid.uuid4().hex}
        answer = self._send(
            "POST",
            f"{self.of_model}/versions",
            query,
            headers,
            content=iter(chunks),
            timeout=httpx.Timeout(TIMEOUT_S, read=ARCHIVE_S),
        )
        return _object(answer), answer.status_code == httpx.codes.CREATED

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str | int | None],
        headers: dict[str, str] | None = None,
        tries: int = 1,
        **options: Any,
    ) -> httpx.Response:
        params = {name: value for name, value in query.items() if value is not None}
        for left in reversed(range(tries)):
            try:
                answer = self._http.request(method, path, params=params, headers=headers, **options)
            except (httpx.ConnectError, httpx.UnsupportedProtocol) as exc:
                raise NotNowError(no_answer(self._address.url, exc)) from exc
            except (httpx.HTTPError, httpx.InvalidURL) as exc:
                if not left:
                    raise LostAnswerError(no_answer(self._address.url, exc)) from exc
                time.sleep(1.0)  # another process, which may be starting again
                continue
            if not answer.is_success:
                raise self._refused(answer)
            return answer
        raise AssertionError("a request is tried once at least")

    def _refused(self, answer: httpx.Response) -> AdministrationError:
        status = answer.status_code
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return AdministrationError(self._who(answer))
        kinds: dict[int, type[AdministrationError]] = {
            httpx.codes.NOT_FOUND: UnknownError,
            httpx.codes.PRECONDITION_FAILED: ChangedMeanwhileError,
            httpx.codes.SERVICE_UNAVAILABLE: NotNowError,
        }
        return kinds.get(status, AdministrationError)(_detail(answer))

    def _who(self, answer: httpx.Response) -> str:
        """What to do about a key that is missing, unknown or of the wrong role."""
        if self._address.key is not None:
            return f"the gateway at {self._address.url} refuses the key: {_detail(answer)}"
        return (
            f"the gateway at {self._address.url} needs a key of the role admin: set SEGSERVE_KEY, "
            "or run this on its machine as its user, with its SEGSERVE_SERVE_DATA_DIR "
            f"(there is no token in {self._address.token_file})"
        )


def _object(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError as exc:
        raise AdministrationError(f"{answer.url} is no gateway: it answers no JSON") from exc
    if not isinstance(found, dict):
        raise AdministrationError(f"{answer.url} is no gateway: it answers no JSON object")
    return found


def _detail(answer: httpx.Response) -> str:
    """The detail of a problem document, in one line; else what the answer says."""
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {answer.status_code}: {answer.text[:200]!r}"
    return " ".join(detail.split())
