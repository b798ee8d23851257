"""The agent's settings, from the environment."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "SEGSERVE_AGENT_"
ROOT = Path(__file__).resolve().parent.parent
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_HEAP = re.compile(r"[1-9]\d{0,8}[kKmMgG]?")
_TOKEN = re.compile(r"[!-~]+")


class SettingError(ValueError):
    """A variable has an invalid value; the text names it."""


def default_workers() -> int:
    """One worker for each pair of cores, at least two, so that one decodes while one infers."""
    return max(2, (os.cpu_count() or 2) // 2)


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(each.strip().rstrip("/") for each in text.split(",") if each.strip())
    if not urls or not all(_is_url(each) for each in urls):
        raise ValueError("addresses such as http://gateway:8000, separated by commas")
    return urls


def _url(text: str) -> str:
    """An address without a path, as gateways take it in a report."""
    url = text.rstrip("/")
    if url.count("/") != 2 or not _is_url(url):
        raise ValueError("an address such as http://node-1:8080")
    return url


def _is_url(text: str) -> bool:
    try:
        is_port = urlsplit(text).port != 0
    except ValueError:
        return False
    return is_port and _URL.fullmatch(text) is not None


def _host() -> str:
    """This machine's name, in the characters of a node's name."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:63]
    return name if _NODE.fullmatch(name) else "node"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError("a port, 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number")
    return int(text)


def _workers(text: str) -> int:
    if not 1 <= _count(text) <= 256:
        raise ValueError("1 to 256 workers")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("true or false")
    return text.lower() in ("true", "1")


def _heap(text: str) -> str:
    if not _HEAP.fullmatch(text):
        raise ValueError("a size such as 384m or 1g")
    return text


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        # Without the text: it may be a mistyped secret.
        raise ValueError("a token: letters, digits and signs without spaces")
    return text


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(each) for each in text.split(os.pathsep) if each)


def _node(text: str) -> str:
    if not _NODE.fullmatch(text):
        raise ValueError("letters, digits, '.', '_' and '-', 63 at most")
    return text


@dataclass(frozen=True)
class Settings:
    """Fields with the environment variables SEGSERVE_AGENT_<NAME>."""

    gateway_urls: tuple[str, ...] = field(
        default=("http://127.0.0.1:8000",),
        metadata={"parse": _urls, "about": "Gateways to ask, one after the other, by commas."},
    )
    node: str = field(
        default_factory=_host,
        metadata={"parse": _node, "about": "Name of this node; another for each agent."},
    )
    node_token_file: Path = field(
        default=ROOT / "data" / "node-token",
        metadata={"parse": Path, "about": "File of the token that agents show to gateways."},
    )
    node_token: str = field(
        default="",
        metadata={"parse": _token, "about": "That token itself, where there is no file."},
    )
    advertise_url: str = field(
        default="",
        metadata={
            "parse": _url,
            "about": "TorchServe's inference API as gateways reach it; without, on this machine.",
        },
    )
    folder: Path = field(
        default=ROOT / ".run" / "agent",
        metadata={
            "parse": Path,
            "about": "Folder of the archives, the last known state, the tokens.",
        },
    )
    torchserve_host: str = field(
        default="127.0.0.1",
        metadata={"parse": str, "about": "Address of TorchServe's inference API."},
    )
    inference_port: int = field(
        default=8080,
        metadata={"parse": _port, "about": "Port of TorchServe's inference API."},
    )
    management_port: int = field(
        default=8081,
        metadata={"parse": _port, "about": "Port of its management API, on loopback."},
    )
    metrics: bool = field(
        default=False,
        metadata={"parse": _flag, "about": "Whether TorchServe serves its own metrics."},
    )
    metrics_port: int = field(
        default=8082,
        metadata={"parse": _port, "about": "Port of these metrics."},
    )
    grpc_inference_port: int = field(
        default=7070,
        metadata={"parse": _port, "about": "TorchServe opens it unasked, on loopback."},
    )
    grpc_management_port: int = field(
        default=7071,
        metadata={"parse": _port, "about": "TorchServe opens it unasked, on loopback."},
    )
    workers: int = field(
        default_factory=default_workers,
        metadata={"parse": _workers, "about": "Worker processes of a version."},
    )
    max_request_bytes: int = field(
        default=32 * 2**20,
        metadata={"parse": _count, "about": "Must be at least the gateway's MAX_IMAGE_BYTES."},
    )
    max_response_bytes: int = field(
        default=64 * 2**20,
        metadata={"parse": _count, "about": "Largest mask that is forwarded."},
    )
    heap: str = field(
        default="384m",
        metadata={"parse": _heap, "about": "Java's largest heap."},
    )
    check_memory: bool = field(
        default=True,
        metadata={
            "parse": _flag,
            "about": "Whether workers are only started where the free memory is enough.",
        },
    )

    seeds: tuple[Path, ...] = field(
        default=(),
        metadata={"parse": _paths, "about": "Archives of this node to offer, separated by colons."},
    )
    seed_is_stable: str = field(
        default="",
        metadata={
            "parse": str,
            "about": "Any text makes the first one stable, once for each text.",
        },
    )

    @property
    def server_dir(self) -> Path:
        """Folder of TorchServe, for its user alone: its configuration and its tokens."""
        return self.folder.absolute() / "torchserve"

    @property
    def tokens_file(self) -> Path:
        """File of the tokens that TorchServe makes at each start."""
        return self.server_dir / "key_file.json"

    @property
    def archives_dir(self) -> Path:
        """TorchServe's model store."""
        return self.folder.absolute() / "archives"

    @property
    def management_url(self) -> str:
        """TorchServe's management API, which only this agent may use."""
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def inference_url(self) -> str:
        """TorchServe's inference API as gateways reach it."""
        return self.advertise_url or f"http://127.0.0.1:{self.inference_port}"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; an empty variable counts as unset. Raises SettingError."""
    environment = os.environ if environment is None else environment
    values = {}
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        if text := environment.get(variable, "").strip():
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as exc:
                shown = "the value" if each.name == "node_token" else repr(text[:80])
                raise SettingError(f"{variable}: {shown} is not {exc}") from exc
    return Settings(**values)
