"""segserve.toml: values for flags; keys that match no flag are refused."""

from pathlib import Path

import pytest

from scripts.cli.config import find, read
from scripts.cli.errors import CommandError
from tests.unit.scripts.commands import command


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def _built(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """The flags of the model that `segserve build` would build."""
    built: list[str] = []

    def build(flags: object, name: str, version: str, store: Path, **flag: bool) -> None:
        built.extend([*flags.arguments, name, version, str(store), str(flag["force"])])  # type: ignore[attr-defined]  # ModelFlags

    monkeypatch.setattr("scripts.build._build", build)
    assert command(*arguments)([]) == 0
    return built


def test_keys_at_the_top_are_for_all_commands_and_tables_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command uses the keys that match its flags."""
    Path("segserve.toml").write_text(
        'device = "cpu"\nversion = "2.0"\ngateway = "http://127.0.0.1:1"\n'
        '[build]\nname = "mine"\nforce = true\n[predict]\nrender = "overlay"\n'
    )
    arguments = _built(monkeypatch, "build")
    assert arguments[:2] == ["--device", "cpu"]
    assert (arguments[-4:-2], arguments[-1]) == (["mine", "2.0"], "True")


def test_a_table_comes_before_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's table is more specific than the top level."""
    Path("segserve.toml").write_text('version = "2.0"\n[build]\nversion = "3.0"\n')
    assert "3.0" in _built(monkeypatch, "build")


def test_a_path_is_meant_from_the_folder_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Relative paths do not depend on the current folder."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.toml").write_text(
        'weights = "my.pth"\nlabels = "/etc/l.json"\n[build]\nstore = "archives"\n'
    )
    arguments = _built(monkeypatch, "--config", "conf/mine.toml", "build")
    assert str(tmp_path / "conf" / "my.pth") in arguments
    assert "/etc/l.json" in arguments
    assert str(tmp_path / "conf" / "archives") in arguments


@pytest.mark.parametrize("place", ["before", "after", "variable"])
def test_another_file_can_be_named(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """--config is taken before or after the command, and replaces the file in the folder."""
    Path("segserve.toml").write_text('version = "2.0"\n')
    Path("other.toml").write_text('version = "4.0"\n')
    flag = ("--config", "other.toml")
    if place == "variable":
        monkeypatch.setenv("SEGSERVE_CONFIG", "other.toml")
    arguments = {"before": (*flag, "build"), "after": ("build", *flag), "variable": ("build",)}
    assert "4.0" in _built(monkeypatch, *arguments[place])


def test_without_a_file_in_the_folder_that_of_the_checkout_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without either there is no configuration, which is no error."""
    monkeypatch.setattr("scripts.cli.config.ROOT", tmp_path / "checkout")
    assert find().path is None
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "segserve.toml").write_text('version = "2.0"\n')
    assert find().path == tmp_path / "checkout" / "segserve.toml"
    Path("segserve.toml").write_text("")
    assert find().path == tmp_path / "segserve.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('colour = "red"\n', "colour is unknown; known are model, weights, labels"),
        ("epochs = 3\n", "epochs is unknown; known are model"),
        ("[pack]\nforce = true\n", "there is no command pack; known are serve, build"),
        ("[build]\nforc = true\n", "forc is unknown in [build]; known are model, weights"),
        ("[build]\nconfig = 'x'\n", "config is unknown in [build]"),
        ("build = true\n", "build is unknown; known are model"),
        ("[build\n", "not TOML (Expected ']'"),
        ('version = "2.0\n', "not TOML"),
    ],
)
def test_what_no_flag_takes_is_refused_in_one_line(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file, the key, and the known keys."""
    Path("segserve.toml").write_text(text)
    assert command("build")([]) == 1
    line = capsys.readouterr().err
    assert line.startswith("segserve: ")
    assert "segserve.toml: " in line
    assert words in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[versions]\nworkers = 2\n", "workers is unknown in [versions]; known are list, add"),
        ("[versions.add]\nworker = 2\n", "worker is unknown in [versions.add]; known are workers"),
        ("[versions]\nadd = 2\n", "add is a command: write a table [add]"),
    ],
)
def test_a_command_of_a_group_has_a_table_of_its_own(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is named like the command, with a dot between the words."""
    Path("segserve.toml").write_text(text)
    assert command("versions")(["add", "a.mar"]) == 1
    assert words in capsys.readouterr().err


def test_a_bad_file_does_not_keep_the_help_away(capsys: pytest.CaptureFixture[str]) -> None:
    """The help documents what may be in the file."""
    Path("segserve.toml").write_text("nonsense")
    assert command("build")(["--help"]) == 0
    assert "Usage: segserve build" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), (b"\xff\xfe", "not UTF-8")])
def test_a_file_that_cannot_be_read_is_an_error(content: bytes | None, words: str) -> None:
    """The error names the file."""
    path = Path("some.toml")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=rf"some\.toml: .*{words}"):
        read(path)


def test_the_versions_look_where_the_file_has_the_product_listen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """[serve] describes the product to every command; a variable takes precedence."""
    Path("segserve.toml").write_text("[serve]\ngateway-port = 1\n")
    assert command("versions")(["list"]) == 1
    assert "no gateway answers at http://127.0.0.1:1 " in capsys.readouterr().err
    monkeypatch.setenv("SEGSERVE_SERVE_GATEWAY_PORT", "2")
    assert command("versions")(["list"]) == 1
    assert "no gateway answers at http://127.0.0.1:2 " in capsys.readouterr().err
