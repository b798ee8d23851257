"""The command `python -m ui`: replaces itself by Streamlit, which then gets the signals."""

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from ui.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent


def command(settings: Settings) -> list[str]:
    """Build the Streamlit command; its flags override Streamlit's files and variables."""
    options = {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.headless": "true",
        "server.maxUploadSize": settings.max_image_mb,
        "server.enableXsrfProtection": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "runner.magicEnabled": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "logger.hideWelcomeMessage": "true",
        "theme.light.primaryColor": "#0f78d2",
        "theme.dark.primaryColor": "#3d9bea",
        "theme.light.baseRadius": "0.6rem",
        "theme.dark.baseRadius": "0.6rem",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(_ROOT / "ui" / "server.py"), *flags]


def main() -> None:
    """Check the settings and replace this process by Streamlit."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = f"SEGSERVE_UI_{problem['loc'][0]}".upper()
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    # Streamlit puts only the script's own folder on the path; the page imports `ui` by name.
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # Streamlit runs every rerun in a thread of its own; glibc would keep a heap for each.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    arguments = command(settings)
    os.execv(arguments[0], arguments)  # noqa: S606  # a list of our own, no shell


if __name__ == "__main__":
    main()
