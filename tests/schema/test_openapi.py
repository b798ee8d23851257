"""Generated requests, valid and invalid: every response conforms to the OpenAPI document."""

from pathlib import Path

import httpx

from gateway.keys.store import KeyStore
from tests.key_store import folder_of, key_store
from tests.schema.decoding_double import DecodingDouble
from tests.schema.registry import seed
from tests.schema.runs import Run, schemathesis
from tests.stack import running_stack
from tests.unit.gateway.doubles import application, serving


def _assert_clean(run: Run, cases: int) -> None:
    print(f"{run.cases} cases in {run.report['running_time']:.0f} s")
    assert (run.report["exit_code"], run.unfinished_phases) == (0, []), run.output
    operations = run.report["operations"]
    assert operations["tested"] == operations["total"] > 0
    assert run.never_accepted == []
    assert run.cases >= cases


def _key(folder: Path) -> tuple[KeyStore, dict[str, str]]:
    """A store with one key, and the variables of a run that sends it."""
    keys = key_store(folder)
    entry, key = keys.add("contract", "admin")
    return keys, {"CONTRACT_KEY": key, "CONTRACT_KEY_ID": entry.id}


def _admin(folder: Path) -> tuple[KeyStore, dict[str, str]]:
    """The same beside a full registry."""
    keys, env = _key(folder)
    seed(folder)
    return keys, env


def test_valid_requests_are_accepted_and_others_refused(tmp_path: Path) -> None:
    """In front of TorchServe's double, every valid request is accepted and every other refused."""
    keys, env = _admin(tmp_path)
    app = application(DecodingDouble(), data_dir=folder_of(keys), auth="on")
    with serving(app) as port:
        run = schemathesis(
            f"http://127.0.0.1:{port}",
            tmp_path,
            hooks="tests.schema.valid_payloads_with_key",
            files=("with_key", "valid_payload", "registry"),
            examples=50,
            **env,
        )
    _assert_clean(run, cases=2000)


def test_no_route_is_open_where_keys_are_required(tmp_path: Path) -> None:
    """Without a key, or with an unknown one, every protected operation is a 401."""
    keys, env = _admin(tmp_path)
    app = application(DecodingDouble(), data_dir=folder_of(keys), auth="on")
    with serving(app) as port:
        run = schemathesis(
            f"http://127.0.0.1:{port}",
            tmp_path,
            hooks="tests.schema.any_payload_with_key",
            files=("any_payload", "with_key", "registry"),
            examples=15,
            **env,
        )
    _assert_clean(run, cases=1000)
    assert env["CONTRACT_KEY_ID"] in [each.id for each in keys.read()]  # it revoked others only


def test_torchserve_and_its_model_respond_as_documented(tmp_path: Path) -> None:
    """Complete, truncated and invalid images get documented responses from a real worker."""
    keys, env = _key(tmp_path)
    with running_stack(
        SEGSERVE_SERVE_UI="false",
        SEGSERVE_GATEWAY_AUTH="on",
        SEGSERVE_SERVE_DATA_DIR=str(folder_of(keys)),
    ) as stack:
        # Not before: its node would ask for eight hundred archives that are nowhere, one by one.
        seed(tmp_path)
        run = schemathesis(
            stack.gateway_url,
            tmp_path,
            hooks="tests.schema.any_payload_with_key",
            files=("any_payload", "with_key", "registry"),
            examples=5,
            **env,
        )
        _assert_clean(run, cases=500)
        assert httpx.get(f"{stack.gateway_url}/readyz").status_code == 200
