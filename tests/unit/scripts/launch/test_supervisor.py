"""Tests of the supervisor: readiness probes of its services, and the signals that stop it."""

import signal
from pathlib import Path

import pytest

from scripts.launch.supervisor import Stopped, StopSignals, _answers
from tests.child_process import run_in_child
from tests.unit.scripts.folder_server import serving

pytestmark = pytest.mark.slow

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.usefixtures("absent_proxy")
def test_a_part_is_asked_directly_behind_a_proxy(tmp_path: Path) -> None:
    """Proxy variables do not apply to readiness probes."""
    with serving(tmp_path) as url:
        assert _answers(f"{url}/")
        assert not _answers(f"{url}/readyz")


def _receive(number: signal.Signals, before: signal.Handlers) -> tuple[bool, bool]:
    """(whether the signal requested a stop, whether the previous handler is still set)."""
    signal.signal(number, before)
    stop_signals = StopSignals()
    signal.raise_signal(number)
    try:
        stop_signals.wait(0)
    except Stopped:
        return True, signal.getsignal(number) == before
    return False, signal.getsignal(number) == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_order_to_stop(number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGHUP stop the product."""
    assert run_in_child(_receive, number, signal.SIG_DFL) == (True, False)


def test_a_closed_terminal_is_no_order_under_nohup() -> None:
    """The supervisor keeps SIGHUP ignored, as nohup sets it."""
    assert run_in_child(_receive, signal.SIGHUP, signal.SIG_IGN) == (False, True)
