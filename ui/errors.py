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
