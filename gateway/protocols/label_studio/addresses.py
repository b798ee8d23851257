"""Addresses of images on the one Label Studio server that is asked; all others are refused.

An address of a task is text of a client. It is never requested as it is: its file is parsed out of
it, and the address to request is written anew from that.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from gateway.errors import InvalidRequestError

_MAX_CHARACTERS: Final = 2048
_ABSOLUTE: Final = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.IGNORECASE)
_UPLOAD: Final = "/data/upload/"
_LOCAL_FILE: Final = re.compile(r"/data/local-files/?\?d=([^&;]+)")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
# Python's unquote replaces bytes that are not UTF-8 by this character.
_REPLACEMENT: Final = "\ufffd"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_ESCAPE: Final = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """The server that is asked. prefix: its path, such as /label-studio, usually empty."""

    scheme: str
    authority: str
    prefix: str

    def url(self, path: str) -> str:
        """Return the address of a path on the server."""
        return f"{self.scheme}://{self.authority}{self.prefix}{path}"


def origin_of(url: str) -> Origin:
    """Return the origin of the server's address, which the settings have validated."""
    parts = urlsplit(url)
    return Origin(parts.scheme, _authority(parts.scheme, parts.netloc), parts.path.rstrip("/"))


def path_of(address: str, origin: Origin) -> str:
    """Return the path, below the origin's prefix, of the file that a task's address names.

    Raises InvalidRequestError for anything but an upload or a local file on that server.
    """
    if len(address) > _MAX_CHARACTERS or _CONTROL.search(address) or "#" in address:
        raise _refusal(origin)
    path = _on_server(address, origin)
    if origin.prefix and path.startswith(f"{origin.prefix}/"):
        path = path.removeprefix(origin.prefix)
    if local_file := _LOCAL_FILE.fullmatch(path):
        file = _file(unquote_plus(local_file[1]).split("/"), origin)
        return f"/data/local-files/?d={file}"
    if not path.startswith(_UPLOAD) or "?" in path:
        raise _refusal(origin)
    # Split before decoding: an encoded slash separates no folders.
    return _UPLOAD + _file(
        [unquote(each) for each in path.removeprefix(_UPLOAD).split("/")], origin
    )


def _on_server(address: str, origin: Origin) -> str:
    """Return the path of an address on the server; raises InvalidRequestError for other servers."""
    if address.startswith("/"):
        return address
    absolute = _ABSOLUTE.fullmatch(address)
    if absolute is None:
        raise _refusal(origin)
    # Compared as text: a host that is written in another way is another host.
    scheme = absolute[1].lower()
    if (scheme, _authority(scheme, absolute[2])) != (origin.scheme, origin.authority):
        raise _refusal(origin)
    return absolute[3]


def _authority(scheme: str, text: str) -> str:
    """Return host and port in the one form in which they are compared."""
    return text.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))


def _file(names: list[str], origin: Origin) -> str:
    """Return the encoded path of a file from its decoded names."""
    if any(_is_unsafe(name) for name in names):
        raise _refusal(origin)
    return "/".join(quote(name, safe="") for name in names)


def _is_unsafe(name: str) -> bool:
    """Whether a server or a proxy before it could read the name as anything but a name."""
    return (
        name in ("", ".", "..")
        or "/" in name
        or _REPLACEMENT in name
        or _CONTROL.search(name) is not None
        or _ESCAPE.search(name) is not None
    )


def _refusal(origin: Origin) -> InvalidRequestError:
    return InvalidRequestError(
        "The task's image is neither a data URI nor a file of the Label Studio server "
        f"{origin.url('')} (/data/upload/... or /data/local-files/?d=...). "
        "Nothing is fetched from other addresses."
    )
