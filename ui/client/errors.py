"""The exceptions of gateway requests, with messages for the visitor.

GatewayError
|-- UnreachableError         no connection, or one that broke
|-- TimedOutError            no response within the timeout
|-- RefusedError             a problem document about the request: status 4xx but 429
|-- UnavailableError         a problem document that suggests a retry: status 429 or 5xx
`-- UnexpectedResponseError  a response that is not one of Segserve's gateway
"""

_NOT_UNDERSTOOD = "The gateway gave an answer that this page does not understand"


class GatewayError(Exception):
    """A request without a result.

    title: what is wrong; detail: what to do about it; request_id: the id in the gateway's log.
    """

    def __init__(self, title: str, detail: str, request_id: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail
        self.request_id = request_id


class UnreachableError(GatewayError):
    """No connection to the gateway, or one that broke."""


class TimedOutError(GatewayError):
    """No response within the timeout."""


class RefusedError(GatewayError):
    """The gateway refuses the request; a retry will not help."""


class UnavailableError(GatewayError):
    """The gateway cannot serve at the moment; a retry may help."""


class UnexpectedResponseError(GatewayError):
    """The response is not one of Segserve's gateway."""


def timed_out(timeout_s: float, request_id: str) -> TimedOutError:
    """Build the error for a timeout of timeout_s seconds."""
    return TimedOutError(
        "The gateway takes too long",
        f"It was silent for {timeout_s:g} seconds, so the page stopped waiting. "
        "It may be busy: try again in a moment.",
        request_id,
    )


def unreachable(base_url: str, request_id: str) -> UnreachableError:
    """Build the error for a connection that could not be made."""
    return UnreachableError(
        "The gateway does not answer",
        f'Nothing answers at {base_url}. Start Segserve with "make run", '
        "or set SEGSERVE_UI_GATEWAY_URL to the gateway's address.",
        request_id,
    )


def broken_off(base_url: str, request_id: str) -> UnreachableError:
    """Build the error for a connection that ended before the response did."""
    return UnreachableError(
        "The connection to the gateway broke",
        f"{base_url} was reached, but no complete answer came back. Try again; "
        "if it stays so, the gateway's log says more.",
        request_id,
    )


def locked_out(request_id: str) -> RefusedError:
    """Build the error for a missing or wrong API key."""
    # Not with the gateway's message, which is about headers: a visitor sends none.
    return RefusedError(
        "The gateway does not know this page",
        'It asks for a key. Make one with "python -m gateway.keys add --name page" '
        "and start the page with SEGSERVE_UI_API_KEY set to it.",
        request_id,
    )


def unexpected(address: str, status: int, request_id: str) -> UnexpectedResponseError:
    """Build the error for a response that the page cannot parse."""
    return UnexpectedResponseError(
        _NOT_UNDERSTOOD,
        f"{address} answered {status}. Check that "
        "SEGSERVE_UI_GATEWAY_URL is Segserve's gateway, of the same release as this page.",
        request_id,
    )


def unreadable_mask(reason: str, request_id: str) -> UnexpectedResponseError:
    """Build the error for a response whose mask the page cannot decode."""
    return UnexpectedResponseError(_NOT_UNDERSTOOD, reason, request_id)
