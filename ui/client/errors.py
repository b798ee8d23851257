"""What can go wrong between the page and the gateway, in words for the person at the page.

GatewayError
|-- UnreachableError       nobody answers at the gateway's address
|-- TimedOutError          the gateway was silent for longer than the page waits
|-- RefusedError           the gateway says what is wrong with the request
|-- UnavailableError       the gateway is well but cannot serve now; trying again may help
`-- UnexpectedAnswerError  the answer is not one of Segserve's gateway
"""


class GatewayError(Exception):
    """A request that brought no result: a title, words that say what to do, a request id."""

    def __init__(self, title: str, detail: str, request_id: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail
        self.request_id = request_id


class UnreachableError(GatewayError):
    """Nobody answers at the gateway's address."""


class TimedOutError(GatewayError):
    """The gateway was silent for longer than the page waits."""


class RefusedError(GatewayError):
    """The gateway says what is wrong with the request; sending it again will not help."""


class UnavailableError(GatewayError):
    """The gateway is well but cannot serve now; trying again may help."""


class UnexpectedAnswerError(GatewayError):
    """The answer is not one of Segserve's gateway."""


def timed_out(timeout_s: float, request_id: str) -> TimedOutError:
    """Nothing came within timeout_s seconds."""
    return TimedOutError(
        "The gateway takes too long",
        f"It was silent for {timeout_s:g} seconds, so the page stopped waiting. "
        "It may be busy: try again in a moment.",
        request_id,
    )


def unreachable(base_url: str, request_id: str) -> UnreachableError:
    """No connection came about."""
    return UnreachableError(
        "The gateway does not answer",
        f'Nothing answers at {base_url}. Start Segserve with "make run", '
        "or set SEGSERVE_UI_GATEWAY_URL to the gateway's address.",
        request_id,
    )


def broken_off(base_url: str, request_id: str) -> UnreachableError:
    """A connection ended before the answer did."""
    return UnreachableError(
        "The connection to the gateway broke",
        f"{base_url} was reached, but no complete answer came back. Try again; "
        "if it stays so, the gateway's log says more.",
        request_id,
    )


def locked_out(request_id: str) -> RefusedError:
    """The gateway asks for a key; not in its own words: a person at the page sends no headers."""
    return RefusedError(
        "The gateway does not know this page",
        'It asks for a key. Make one with "python -m gateway.keys add --name page" '
        "and start the page with SEGSERVE_UI_API_KEY set to it.",
        request_id,
    )


def unexpected(address: str, status: int, request_id: str) -> UnexpectedAnswerError:
    """Something answered at the address that the page cannot read."""
    return UnexpectedAnswerError(
        "The gateway gave an answer that this page does not understand",
        f"{address} answered {status}. Check that "
        "SEGSERVE_UI_GATEWAY_URL is Segserve's gateway, of the same release as this page.",
        request_id,
    )
