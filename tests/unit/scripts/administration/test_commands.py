"""`segserve versions` against a real gateway: each sub-command does what its name says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.administration.client import Gateway
from scripts.administration.waiting import FailedError
from tests.unit.scripts.administration.product import Node, Product
from tests.unit.scripts.commands import command

main = command("versions")
Run = Callable[..., tuple[int, str, str]]
DIGEST = "d" * 64


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit status, output, errors) of a sub-command."""

    def ran(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return ran


@pytest.fixture
def two(product: Product, run: Run) -> Product:
    """Versions 1.0, which is stable, and 2.0."""
    for version in ("1.0", "2.0"):
        assert run("add", str(product.archive(version)))[0] == 0
    assert run("default", "1.0")[0] == 0
    return product


def model_of(product: Product) -> dict[str, Any]:
    """The model as the gateway has it."""
    return product.gateway.read(product.gateway.of_model)


def evaluate(product: Product, version: str, miou: float) -> None:
    """Record a mean IoU."""
    body = {"data_name": "voc", "data_digest": DIGEST, "figures": {"miou": miou}}
    product.gateway.change("POST", f"{product.gateway.version_path(version)}/evaluations", body)


def test_add_waits_until_the_version_is_ready(product: Product, run: Run) -> None:
    """Nothing is routed to it by itself; the same archive again changes nothing."""
    path = product.archive("1.0")
    status, output, errors = run("add", str(path))
    assert (status, errors) == (0, "")
    assert output == "version 1.0 is added: first has 2 workers\n"
    assert model_of(product)["aliases"] == {}
    etag = model_of(product)["etag"]
    assert run("add", path.name)[1] == "version 1.0 was there already: first has 2 workers\n"
    assert model_of(product)["etag"] == etag


def test_add_gives_the_workers_that_it_is_told(product: Product, run: Run) -> None:
    """On each node."""
    output = run("add", str(product.archive("1.0")), "--workers", "3")[1]
    assert output == "version 1.0 is added: first has 3 workers\n"


def test_a_version_that_a_node_cannot_serve_is_retired_again(product: Product, run: Run) -> None:
    """The line has the node's reason; with --keep it stays."""
    product.node.broken["1.0"] = "not enough memory: 3 workers need 900 MB"
    path = product.archive("1.0")
    status, output, errors = run("add", str(path))
    assert (status, output) == (1, "")
    assert errors == (
        "segserve: version 1.0 cannot be served on first: "
        "not enough memory: 3 workers need 900 MB\n"
    )
    assert [each["state"] for each in product.gateway.versions()] == ["retired"]
    assert run("add", str(path), "--keep")[0] == 1
    assert [each["state"] for each in product.gateway.versions()] == ["available"]


def test_a_version_that_was_there_is_not_retired(product: Product, run: Run) -> None:
    """Adding it again finds that it is broken, but it is not this command's."""
    path = product.archive("1.0")
    assert run("add", str(path))[0] == 0
    product.node.broken["1.0"] = "a worker died"
    product.until(lambda: product.gateway.version("1.0")["nodes"][0]["state"] == "failed")
    assert run("add", str(path), "--wait", "5")[0] == 1
    assert [each["state"] for each in product.gateway.versions()] == ["available"]


def test_what_is_not_ready_in_time_says_what_the_nodes_do(product: Product, run: Run) -> None:
    """And is retired; without waiting it is left to the nodes."""
    product.node.is_slow = True
    path = product.archive("1.0")
    status, _, errors = run("add", str(path), "--wait", "0.3")
    assert status == 1
    assert "is not ready after 0.3 s; first: " in errors
    assert errors.count("\n") == 1
    assert run("add", str(path), "--no-wait")[0] == 0
    assert [each["state"] for each in product.gateway.versions()] == ["available"]


def test_other_bytes_under_a_name_are_refused(two: Product, run: Run) -> None:
    """With the gateway's sentence."""
    path = two.archive("2.0", **{"more.txt": "other"})
    status, _, errors = run("add", str(path))
    assert status == 1
    assert "2.0" in errors
    assert errors.count("\n") == 1


def test_list_has_alias_node_and_state(two: Product, run: Run) -> None:
    """A line for each version on each node; retired ones with --all."""
    lines = run("list")[1].splitlines()
    assert lines[0].split() == [
        "VERSION",
        "ALIAS",
        "NODE",
        "WORKERS",
        "STATE",
        "MIOU",
        "ADDED",
        "BY",
    ]
    assert lines[1].split()[:6] == ["1.0", "stable", "first", "2/2", "ready", "-"]
    assert lines[2].split()[:5] == ["2.0", "-", "first", "2/2", "ready"]
    assert run("remove", "2.0")[0] == 0
    assert "2.0" not in run("list")[1]
    assert "retired" in run("list", "--all")[1]
    names = [each["version"] for each in json.loads(run("list", "--json")[1])]
    assert names == ["1.0"]


def test_canary_shadow_and_traffic(two: Product, run: Run) -> None:
    """Shares are set with the version, and shown."""
    assert run("canary", "2.0", "10", "--why", "first try")[0] == 0
    assert run("shadow", "2.0", "25")[0] == 0
    lines = [line.split() for line in run("traffic")[1].splitlines()]
    assert lines[1:] == [
        ["stable", "1.0", "90", "%", "of", "clients"],
        ["canary", "2.0", "10", "%", "of", "clients"],
        ["shadow", "2.0", "25", "%", "of", "images,", "as", "copies"],
    ]
    assert json.loads(run("traffic", "--json")[1])["canary_percent"] == 10
    assert run("alias", "canary", "--remove")[0] == 0
    assert model_of(two)["canary_percent"] == 0


def test_promote_asks_the_gate(two: Product, run: Run) -> None:
    """It says why not; measured and better it is open; the way back is short."""
    status, _, errors = run("promote", "2.0")
    assert status == 1
    assert "no evaluation of both versions" in errors
    assert run("promote", "2.0", "--force")[0] == 2
    evaluate(two, "1.0", 0.70)
    evaluate(two, "2.0", 0.71)
    status, output, _ = run("promote", "2.0")
    assert status == 0
    assert output.startswith("version 2.0 is stable; before it was 1.0\n")
    assert "mean IoU 0.7100" in output
    assert run("rollback", "--why", "users complain")[1] == "version 1.0 is stable again\n"
    forced = run("promote", "2.0", "--force", "--why", "asked for", "--json")
    assert json.loads(forced[1])["version"] == "2.0"


def test_an_alias_comes_and_goes(two: Product, run: Run) -> None:
    """Under a name of one's own."""
    assert run("alias", "next", "2.0")[1] == "next is version 2.0\n"
    assert model_of(two)["aliases"]["next"] == "2.0"
    assert run("alias", "next", "--remove")[0] == 0
    assert "next" not in model_of(two)["aliases"]
    assert run("alias", "next")[0] == 2
    assert run("alias", "next", "2.0", "--remove")[0] == 2


def test_scale_waits_and_undoes_what_a_node_cannot(two: Product, run: Run) -> None:
    """The number of before is wanted again."""
    assert run("scale", "2.0", "3")[1] == "version 2.0 has 3 workers\n"
    assert run("scale", "2.0", "1", "--node", "first")[1] == "version 2.0 has 1 worker on first\n"
    two.node.broken["2.0"] = "no memory"
    status, _, errors = run("scale", "2.0", "9", "--node", "first")
    assert status == 1
    assert errors == "segserve: version 2.0 cannot be served on first: no memory\n"
    placed = {each["node"]: each["workers"] for each in model_of(two)["placements"]}
    assert placed == {"*": 3, "first": 1}
    del two.node.broken["2.0"]
    assert run("scale", "2.0", "0", "--node", "first")[0] == 0
    assert "not loaded" in run("list")[1]


def placed(product: Product) -> dict[str, int]:
    """node -> workers of version 2.0."""
    found = model_of(product)["placements"]
    return {each["node"]: each["workers"] for each in found if each["version"] == "2.0"}


def test_scale_does_not_take_an_old_failure_for_its_own(two: Product, run: Run) -> None:
    """The node tells it until it has heard of the change; a failure of the change is told."""
    two.node.most = 4
    assert run("scale", "2.0", "9", "--no-wait")[0] == 0
    two.until(lambda: two.gateway.version("2.0")["nodes"][0]["state"] == "failed")
    assert run("scale", "2.0", "1") == (0, "version 2.0 has 1 worker\n", "")
    status, _, errors = run("scale", "2.0", "8")
    assert (status, placed(two)) == (1, {"*": 1})
    assert errors == "segserve: version 2.0 cannot be served on first: no memory\n"


def test_scale_that_takes_too_long_is_not_undone(two: Product, run: Run) -> None:
    """The node goes on."""
    two.node.is_slow = True
    status, _, errors = run("scale", "2.0", "3", "--wait", "0.3")
    assert status == 1
    assert "is not ready after 0.3 s" in errors
    assert placed(two) == {"*": 3}


def test_scale_undoes_nothing_that_came_after_it(
    two: Product, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another person has decided meanwhile."""

    def fail(gateway: Gateway, version: str, *_: object) -> None:
        path = f"{gateway.version_path(version)}/placement"
        gateway.change("PUT", path, {"workers": 4, "node": "*"})
        raise FailedError("no memory")

    monkeypatch.setattr("scripts.administration.operations._ready", fail)
    assert run("scale", "2.0", "9") == (1, "", "segserve: no memory\n")
    assert placed(two) == {"*": 4}


def test_scale_on_a_node_is_judged_by_that_node(two: Product, run: Run) -> None:
    """What another one cannot is no matter; one that is not known is refused."""
    second = Node("second", two.url, two.node.token, is_slow=True)
    second.beat()
    second.beat()
    assert run("scale", "2.0", "1", "--node", "first")[0] == 0
    assert run("scale", "2.0", "3", "--wait", "0.3")[0] == 1
    before = placed(two)
    status, _, errors = run("scale", "2.0", "2", "--node", "third")
    assert (status, placed(two)) == (1, before)
    assert errors == "segserve: there is no node third; there are: first, second\n"


def test_what_no_node_should_have_is_not_waited_for(two: Product, run: Run) -> None:
    """The line says what to do."""
    assert run("scale", "2.0", "0")[0] == 0
    status, _, errors = run("add", "deeplabv3-2.0.mar")
    assert status == 1
    assert "version 2.0 should have 0 workers on first: `segserve versions scale 2.0 2`" in errors
    status, _, errors = run("promote", "2.0", "--force", "--why", "in haste")
    assert status == 1
    assert "scale it first, with `segserve versions scale 2.0 2`" in errors
    assert run("scale", "1.0", "0", "--node", "first")[0] == 1
    assert model_of(two)["aliases"]["stable"] == "1.0"


def test_history_names_who_what_and_why(two: Product, run: Run) -> None:
    """The newest first."""
    run("canary", "2.0", "10", "--why", "first try")
    lines = run("history", "--limit", "2")[1].splitlines()
    assert len(lines) == 3
    assert "this machine" in lines[1]
    assert "first try" in lines[1]
    entries = json.loads(run("history", "--json")[1])
    assert [each["action"] for each in entries][-1] == "version.add"


def test_diff_shows_classes_input_and_figures(product: Product, run: Run) -> None:
    """Also as JSON."""
    labels = json.dumps({"0": "background", "1": "cat", "2": "horse"})
    assert run("add", str(product.archive("1.0")))[0] == 0
    assert run("add", str(product.archive("2.0", **{"deeplab/labels.json": labels})))[0] == 0
    evaluate(product, "1.0", 0.70)
    evaluate(product, "2.0", 0.71)
    output = run("diff", "1.0", "2.0")[1]
    assert "2: dog -> horse" in output
    assert "input: (the same)" in output
    assert "mean IoU on voc: 0.7000 -> 0.7100" in output
    found = json.loads(run("diff", "1.0", "2.0", "--json")[1])
    assert found["labels"] == {"2": ["dog", "horse"]}
    assert found["shadow"] is None


def test_nodes_and_forget(two: Product, run: Run) -> None:
    """A node is listed with what it has and does; one that is heard comes back."""
    two.node.doing = "loading deeplabv3 3.0"
    two.until(lambda: "loading deeplabv3 3.0" in run("nodes")[1])
    output = run("nodes")[1]
    assert "1.0 ready 2/2, 2.0 ready 2/2" in output
    assert json.loads(run("nodes", "--json")[1])[0]["fresh"] is True
    assert run("forget", "first")[1] == "first is forgotten\n"
    assert run("forget", "another")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "missing.mar"), "does not exist; build it"),
        (("add", "README.md"), "is not a model archive"),
        (("default", "9.9"), "there is no version 9.9; there are: 1.0, 2.0"),
        (("promote", "9.9"), "9.9"),
        (("canary", "9.9", "10"), "there is no version 9.9"),
        (("remove", "1.0"), "1.0 is stable"),
        (("remove", "9.9"), "there is no version 9.9"),
        (("scale", "1.0", "0"), "is stable and needs at least 1 worker"),
        (("rollback",), "no former stable version"),
        (("alias", "nothing", "--remove"), "no alias nothing"),
        (("alias", "2.0", "1.0"), "2.0 is a version"),
        (("diff", "1.0", "9.9"), "there is no version 9.9"),
        (("remove", "2.0", "--etag", "1"), "meanwhile"),
    ],
)
def test_refusals_say_why(two: Product, run: Run, arguments: tuple[str, ...], words: str) -> None:
    """One line on standard error, status 1, nothing changed."""
    before = model_of(two)
    status, output, errors = run(*arguments)
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1
    assert words in errors
    assert model_of(two) == before


def test_default_needs_a_worker_that_is_ready(two: Product, run: Run) -> None:
    """Requests would fail."""
    assert run("scale", "2.0", "0")[0] == 0
    status, _, errors = run("default", "2.0")
    assert status == 1
    assert "has no worker that is ready: `segserve versions scale 2.0 2` first" in errors
