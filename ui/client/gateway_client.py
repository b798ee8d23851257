"""The gateway client: requests through the generated client, every failure as a GatewayError."""

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

Parsed = TypeVar("Parsed")

# The gateway has readiness, versions and labels in memory: a page must not hang on them.
_METADATA_TIMEOUT_S = 3.0
# The generated parsers trust the OpenAPI document; at a response of another shape they raise these.
_PARSER_ERRORS = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class GatewayClient:
    """A client of the gateway that may be shared between threads; it raises GatewayError only."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeout_s = timeout_s
        self._metadata_timeout_s = min(timeout_s, _METADATA_TIMEOUT_S)
        self._connections = transport or httpx.HTTPTransport(trust_env=False)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def readiness(self) -> Readiness:
        """Request the default version; UnavailableError while it does not serve."""
        with self._request(self._metadata_timeout_s) as client:
            parsed = _checked(documented.Readiness, ready.sync(client=client))
            return Readiness(parsed.model, parsed.version)

    def models(self) -> tuple[Model, ...]:
        """Request the models with all their versions, ready or not."""
        with self._request(self._metadata_timeout_s) as client:
            parsed = _checked(documented.Models, list_models.sync(client=client))
            return tuple(_model(each) for each in parsed.models)

    def labels(self, model: str, version: str) -> tuple[Label, ...]:
        """Request the classes of one version."""
        with self._request(self._metadata_timeout_s) as client:
            response = labels.sync(model, client=client, version=version)
            parsed = _checked(documented.Labels, response)
            return tuple(_label(each) for each in parsed.labels)

    def segment(
        self, image: bytes, version: str | None, visitor: str | None = None
    ) -> Segmentation:
        """Segment an encoded image with the given version; None is the default.

        visitor: keeps its version while another one is tried on a share of the visitors.
        """
        started = time.monotonic()
        file = File(BytesIO(image), "picture", "application/octet-stream")
        with self._request(self.timeout_s, visitor) as client:
            response = segmentation.sync_detailed(
                client=client, body=documented.ImageForm(file), version=version or None
            )
            return _segmentation(response, time.monotonic() - started)

    @contextmanager
    def _request(
        self, timeout_s: float, visitor: str | None = None
    ) -> Iterator[AuthenticatedClient]:
        """Open a generated client for one request and translate its failures."""
        request_id = uuid.uuid4().hex
        responses: list[httpx.Response] = []
        headers = {**self._headers, "X-Request-ID": request_id}
        if visitor:
            headers["X-Segserve-Session"] = visitor
        # One per request, because generated functions take neither headers nor a timeout; the
        # connections are shared. trust_env=False: the gateway is reached without a proxy.
        http = httpx.Client(
            base_url=self.base_url,
            transport=self._connections,
            trust_env=False,
            timeout=timeout_s,
            headers=headers,
            event_hooks={"response": [responses.append, _raise_for_status]},
        )
        try:
            yield AuthenticatedClient(self.base_url, token="").set_httpx_client(http)
        except httpx.TimeoutException as error:
            raise errors.timed_out(timeout_s, request_id) from error
        except httpx.ConnectError as error:
            raise errors.unreachable(self.base_url, request_id) from error
        except httpx.HTTPError as error:
            raise errors.broken_off(self.base_url, request_id) from error
        except _PARSER_ERRORS as error:
            raise _unexpected(responses[-1]) from error


def _checked(schema: type[Parsed], parsed: object) -> Parsed:
    if not isinstance(parsed, schema):
        raise TypeError(type(parsed))
    return parsed


def _model(parsed: documented.Model) -> Model:
    versions = (ModelVersion(each.version, each.default, each.ready) for each in parsed.versions)
    return Model(parsed.name, tuple(versions))


def _label(parsed: documented.Label) -> Label:
    return Label(parsed.id, parsed.name, parsed.colours.to_dict())


def _segmentation(response: Response[Any], elapsed_s: float) -> Segmentation:
    headers = response.headers
    if headers["Content-Type"] != "image/png":
        raise ValueError(headers["Content-Type"])
    return Segmentation(
        mask_png=response.content,
        class_pixels=parse_class_pixels(headers["X-Class-Pixels"]),
        model=headers["X-Model"],
        version=headers["X-Model-Version"],
        request_id=headers["X-Request-ID"],
        elapsed_s=elapsed_s,
    )


def parse_class_pixels(header: str) -> dict[int, int]:
    """Parse '0=195000,15=67144' into pixels by class id; ValueError for anything else."""
    counts = {}
    for item in header.split(","):
        class_id, _, pixels = item.partition("=")
        counts[int(class_id)] = int(pixels)
    return counts


def _raise_for_status(response: httpx.Response) -> None:
    """Raise the error for any status but 200, before a generated parser sees the response."""
    if response.status_code != httpx.codes.OK:
        response.read()
        raise _error(response)


def _error(response: httpx.Response) -> errors.GatewayError:
    status = response.status_code
    if status == httpx.codes.UNAUTHORIZED:
        return errors.locked_out(_request_id(response))
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return _unexpected(response)
    parsed = documented.Problem.from_dict(response.json())
    problem = Problem(parsed.title, parsed.detail, parsed.request_id)
    retry = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
    kind = errors.UnavailableError if retry else errors.RefusedError
    return kind(problem.title, problem.detail, problem.request_id)


def _unexpected(response: httpx.Response) -> errors.GatewayError:
    address = str(response.request.url.copy_with(query=None))
    return errors.unexpected(address, response.status_code, _request_id(response))


def _request_id(response: httpx.Response) -> str:
    """Read the gateway's request id; the one that was sent if the response has none."""
    sent = response.request.headers["X-Request-ID"]
    request_id: str = response.headers.get("X-Request-ID", sent)
    return request_id
