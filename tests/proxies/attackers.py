"""What others try at the product: a web site, a name that points at this machine, another user."""

import os
import pwd
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scripts.archives.archive import MODEL
from tests.stack import Stack

LOAD = f"/models?url={MODEL}-1.0.mar&model_name=intruder&initial_workers=1"
ADD_KEY = '{"name": "intruder", "role": "admin"}'


@dataclass(frozen=True)
class Try:
    """A request that others should not be able to make, or whose response they should not read."""

    service: str
    method: str
    target: str
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.target.partition('?')[0]}"


TRIES = [
    Try("MANAGEMENT", "GET", "/models"),
    Try("MANAGEMENT", "GET", f"/models/{MODEL}?customized=true"),
    Try("MANAGEMENT", "POST", LOAD),
    Try("MANAGEMENT", "POST", f"{LOAD}&handler=this"),
    Try("MANAGEMENT", "PUT", f"/models/{MODEL}/1.0?min_worker=0&max_worker=0"),
    Try("MANAGEMENT", "PUT", f"/models/{MODEL}/1.0/set-default"),
    Try("MANAGEMENT", "DELETE", f"/models/{MODEL}/1.0"),
    Try("INFERENCE", "GET", "/ping"),
    Try("INFERENCE", "POST", f"/predictions/{MODEL}", "x"),
    Try("INFERENCE", "POST", f"/explanations/{MODEL}", "x"),
    Try("METRICS", "GET", "/metrics"),
    Try("GATEWAY", "GET", "/metrics"),
    Try("GATEWAY", "GET", "/v1/models"),
    Try("GATEWAY", "GET", "/v2"),
    Try("GATEWAY", "GET", "/readyz"),
    Try("GATEWAY", "GET", "/v1/admin/keys"),
    Try("GATEWAY", "POST", "/v1/admin/keys", ADD_KEY, {"Content-Type": "application/json"}),
    Try("GATEWAY", "POST", "/v1/admin/keys", ADD_KEY, {"Content-Type": "text/plain"}),
    Try("GATEWAY", "DELETE", "/v1/admin/keys/x"),
    Try("UI", "GET", "/"),
    Try("UI", "GET", "/_stcore/health"),
    Try("UI", "GET", "/_stcore/host-config"),
    Try("UI", "GET", "/_stcore/metrics"),
    Try("UI", "GET", "/_stcore/agent/openapi.json"),
    Try("UI", "PUT", "/_stcore/upload_file/a/b", "x"),
    Try("UI", "DELETE", "/_stcore/upload_file/a/b"),
]


@contextmanager
def running_site() -> Iterator[int]:
    """The port of a site whose pages are empty."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a site</title>")

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_another_user(script: str, stdin: str = "") -> str:
    """Run a shell script as the unprivileged user `nobody`; return its output."""
    user = pwd.getpwnam("nobody")
    done = subprocess.run(
        ["sh", "-c", script],
        input=stdin,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def reachable_by_all(stack: Stack) -> None:
    """Open the folders around the product's files, which the tests made for themselves alone."""
    for folder in (stack.run_dir, stack.model_store, stack.data_dir):
        folder.chmod(0o755)
