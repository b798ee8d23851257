"""The token that agents show to gateways."""

from pathlib import Path

from pydantic import SecretStr

from gateway.keys.token_file import TokenFile

_SCHEME = "Bearer "


class NodeToken:
    """The token that agents must show. given: by the settings; None for the one in the file."""

    def __init__(self, given: SecretStr | None, path: Path) -> None:
        self._token = TokenFile(path, given.get_secret_value() if given else None)

    def make(self) -> None:
        """Read the token; the first gateway makes it. Raises RegistryUnavailableError."""
        self._token.make()

    def is_shown(self, authorization: str) -> bool:
        """Whether a request's header Authorization shows it; never before it is made."""
        token = authorization.removeprefix(_SCHEME)
        return self._token.is_shown(token) and token != authorization
