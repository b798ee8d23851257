"""The real nginx and Caddy on loopback, with the examples of deploy/proxy/."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scripts.launch.processes import end_with_parent
from tests.stack import ROOT, free_ports

NAME = "seg.example.org"
EXAMPLES = ROOT / "deploy" / "proxy"
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its ports on loopback, and the certificate by which it is known."""

    http_port: int
    https_port: int
    certificate: Path

    @property
    def origin(self) -> str:
        """What a browser shows."""
        return f"https://{NAME}:{self.https_port}"

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A client with this address that finds the proxy under its public name."""
        transport = _Resolved(
            verify=ssl.create_default_context(cafile=str(self.certificate)), local_address=address
        )
        return httpx.Client(base_url=self.origin, transport=transport, timeout=60, trust_env=False)


class _Resolved(httpx.HTTPTransport):
    """Connects to loopback instead of the name, which no name server here knows."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = NAME
        request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


def _substituted(example: str, replaced: Mapping[str, str]) -> str:
    """The text of an example; each replacement must occur in it."""
    text = (EXAMPLES / example).read_text()
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def running_nginx(folder: Path, gateway_url: str, ui_url: str) -> Iterator[Proxy]:
    """Nginx with the example; only ports and the certificate's place are others."""
    plain, tls = free_ports(2)
    certificate = _certificate(folder)
    site = _substituted(
        "nginx.conf",
        {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ": f"listen 127.0.0.1:{tls} ",
            "/etc/ssl/segserve": str(certificate.with_suffix("")),
            "http://127.0.0.1:8000": gateway_url,
            "http://127.0.0.1:8501": ui_url,
        },
    )
    with nginx(folder, site, plain):
        yield Proxy(plain, tls, certificate)


@contextmanager
def nginx(folder: Path, site: str, port: int) -> Iterator[None]:
    """Nginx with a site of its own and all its files in a folder."""
    main = folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if Path.home() == Path("/root") else ""
    main.write_text(
        f"daemon off; {user} pid {folder}/pid; error_log stderr warn; events {{}}\n"
        f"http {{ access_log off; {places}\n{site}\n}}\n"
    )
    program = _program("nginx", "nginx-light")
    with _running([program, "-p", str(folder), "-c", str(main)], folder, port):
        yield


@contextmanager
def running_caddy(folder: Path, gateway_url: str, ui_url: str) -> Iterator[Proxy]:
    """Caddy with the example; its certificate is from an authority of its own."""
    plain, tls = free_ports(2)
    site = _substituted(
        "Caddyfile",
        {
            "127.0.0.1:8000": gateway_url.removeprefix("http://"),
            "127.0.0.1:8501": ui_url.removeprefix("http://"),
        },
    )
    options = (
        f"http_port {plain}\nhttps_port {tls}\ndefault_bind 127.0.0.1\n"
        f"admin off\nlocal_certs\nskip_install_trust\nstorage file_system {folder}/storage\n"
    )
    main = folder / "Caddyfile"
    main.write_text(f"{{\n{options}}}\n{site}")
    command = [_program("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", str(main)]
    certificate = folder / "storage" / "pki" / "authorities" / "local" / "root.crt"
    with _running(command, folder, tls):
        _wait_until(certificate.exists)
        yield Proxy(plain, tls, certificate)


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.fail(f"These tests need {name}: apt-get install {package}")
    return found


def _certificate(folder: Path) -> Path:
    """A certificate for the name, signed by itself."""
    path = folder / "segserve.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
        )
    try:
        _wait_until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)  # polling another process
