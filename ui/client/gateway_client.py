"""The only file that knows the gateway: asks by the generated client, and words every failure."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, TypeVar

import httpx
from segserve_client import AuthenticatedClient
from segserve_client import models as documented
from segserve_client.api.health import ready
from segserve_client.api.models import labels, list_models
from segserve_client.api.segmentation import segmentation
from segserve_client.types import File, Response

from ui.client import errors
from ui.client.responses import Label, Model, ModelVersion, Problem, Readiness, Segmentation

Answer = TypeVar("Answer")

# Questions about the model are answered from the gateway's memory: a page must not hang on them.
_QUESTION_TIMEOUT_S = 3.0
# What the generated parsers, which trust the document, raise at answers of another shape.
_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class GatewayClient:
    """Asks the gateway; every failure is a GatewayError. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeout_s = timeout_s
        self._question_timeout_s = min(timeout_s, _QUESTION_TIMEOUT_S)
        self._connections = transport or httpx.HTTPTransport(trust_env=False)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def readiness(self) -> Readiness:
        """Say which version serves by default; UnavailableError while none does."""
        with self._request(self._question_timeout_s) as client:
            found = _expected(documented.Readiness, ready.sync(client=client))
            return Readiness(found.model, found.version)

    def models(self) -> tuple[Model, ...]:
        """List what is registered, ready or not."""
        with self._request(self._question_timeout_s) as client:
            found = _expected(documented.Models, list_models.sync(client=client))
            return tuple(_model(each) for each in found.models)

    def labels(self, model: str, version: str) -> tuple[Label, ...]:
        """List the classes of one version."""
        with self._request(self._question_timeout_s) as client:
            answer = labels.sync(model, client=client, version=version)
            found = _expected(documented.Labels, answer)
            return tuple(Label(each.id, each.name, each.colours.to_dict()) for each in found.labels)

    def segment(self, image: bytes, version: str | None) -> Segmentation:
        """Segment an encoded image with the given version, or with the default one."""
        started = time.monotonic()
        file = File(BytesIO(image), "picture", "application/octet-stream")
        with self._request(self.timeout_s) as client:
            answer = segmentation.sync_detailed(
                client=client, body=documented.ImageForm(file), version=version or None
            )
            return _segmentation(answer, time.monotonic() - started)

    @contextmanager
    def _request(self, timeout_s: float) -> Iterator[AuthenticatedClient]:
        """Lend a client for one request, and put into words what becomes of it."""
        request_id = uuid.uuid4().hex
        answers: list[httpx.Response] = []
        # One for each request, because generated functions take no headers and no time-out;
        # the connections stay. The gateway is given by address: no proxy of the environment.
        http = httpx.Client(
            base_url=self.base_url,
            transport=self._connections,
            trust_env=False,
            timeout=timeout_s,
            headers={**self._headers, "X-Request-ID": request_id},
            event_hooks={"response": [answers.append, _refuse]},
        )
        try:
            yield AuthenticatedClient(self.base_url, token="").set_httpx_client(http)
        except httpx.TimeoutException as error:
            raise errors.timed_out(timeout_s, request_id) from error
        except httpx.ConnectError as error:
            raise errors.unreachable(self.base_url, request_id) from error
        except httpx.HTTPError as error:
            raise errors.broken_off(self.base_url, request_id) from error
        except _UNREADABLE as error:
            raise _unexpected(answers[-1]) from error


def _expected(kind: type[Answer], answer: object) -> Answer:
    if not isinstance(answer, kind):
        raise TypeError(type(answer))
    return answer


def _model(found: documented.Model) -> Model:
    versions = (ModelVersion(each.version, each.default, each.ready) for each in found.versions)
    return Model(found.name, tuple(versions))


def _segmentation(answer: Response[Any], elapsed_s: float) -> Segmentation:
    headers = answer.headers
    if headers["Content-Type"] != "image/png":
        raise ValueError(headers["Content-Type"])
    return Segmentation(
        mask_png=answer.content,
        class_pixels=parse_class_pixels(headers["X-Class-Pixels"]),
        model=headers["X-Model"],
        version=headers["X-Model-Version"],
        request_id=headers["X-Request-ID"],
        elapsed_s=elapsed_s,
    )


def parse_class_pixels(header: str) -> dict[int, int]:
    """Read '0=195000,15=67144' as pixels by class id; ValueError for anything else."""
    counts = {}
    for item in header.split(","):
        class_id, _, pixels = item.partition("=")
        counts[int(class_id)] = int(pixels)
    return counts


def _refuse(response: httpx.Response) -> None:
    """Raise what any answer but 200 means, before a generated parser sees it."""
    if response.status_code != httpx.codes.OK:
        response.read()
        raise _refusal(response)


def _refusal(response: httpx.Response) -> errors.GatewayError:
    status = response.status_code
    if status == httpx.codes.UNAUTHORIZED:
        return errors.locked_out(_request_id(response))
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return _unexpected(response)
    found = documented.Problem.from_dict(response.json())
    problem = Problem(found.title, found.detail, found.request_id)
    later = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
    kind = errors.UnavailableError if later else errors.RefusedError
    return kind(problem.title, problem.detail, problem.request_id)


def _unexpected(response: httpx.Response) -> errors.GatewayError:
    address = str(response.request.url.copy_with(query=None))
    return errors.unexpected(address, response.status_code, _request_id(response))


def _request_id(response: httpx.Response) -> str:
    """The gateway's, or the one that was sent where something else answered."""
    told: str = response.headers.get("X-Request-ID", response.request.headers["X-Request-ID"])
    return told
