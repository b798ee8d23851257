"""The program: fast help, examples that parse, and failures in one line."""

import re
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scripts.__main__ import ENTRIES, program
from scripts.archives.paths import ROOT
from scripts.cli.program import Entry, Program
from tests.unit.scripts.commands import command, contexts, options_of

CONTEXTS = list(contexts())
NAMES = [ctx.command_path for ctx in CONTEXTS]
HEAVY = ("torch", "numpy", "PIL", "httpx", "pydantic", "gateway", "tqdm")
MOST_S = 0.3


def _run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    how = ["-c", code] if code else ["-m", "scripts"]
    return subprocess.run(
        [sys.executable, *how, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_help_comes_at_once() -> None:
    """Measured in CPU time, because the machine may be busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.startswith("Usage: segserve [OPTIONS] COMMAND")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < MOST_S


def test_the_help_imports_nothing_heavy() -> None:
    """Nor does the completion of command names, which runs at each tab."""
    code = (
        "import sys; from scripts.__main__ import program\n"
        "program.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert _run(code=code).stdout.splitlines()[-1] == "[]"


def test_the_help_says_how_to_complete_in_a_shell() -> None:
    """The help names bash and zsh."""
    printed = _run("--help").stdout
    for shell in ("bash", "zsh"):
        assert f'eval "$(_SEGSERVE_COMPLETE={shell}_source segserve)"' in printed


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """The table repeats a command's first sentence, so that its module need not be imported."""
    found = program.get_command(click.Context(program), name)
    assert found is not None
    assert found.name == name
    assert (found.help or "").split("\n\n")[0].replace("\n", " ") == ENTRIES[name].summary


def test_every_command_has_a_place_in_the_folder_and_in_the_table() -> None:
    """A module without an entry in the table would be a command that cannot be run."""
    files = {path.stem for path in (ROOT / "scripts").glob("[a-z]*.py")}
    assert files == {each.module.rpartition(".")[2] for each in ENTRIES.values()}


@pytest.mark.parametrize("ctx", CONTEXTS, ids=NAMES)
def test_every_command_teaches(ctx: click.Context) -> None:
    """The help has a description, an example, and a sentence for each flag and argument."""
    assert re.match(r"[A-Z].*\.", ctx.command.help or "")
    assert "Example" in (ctx.command.epilog or "")
    for each in ctx.command.params:
        sentence = str(each.help)
        assert sentence[0].isupper() or sentence.startswith("default, imagenet"), each.name
        assert re.search(r"[.\]]$", sentence), each.name


@pytest.mark.parametrize("ctx", CONTEXTS, ids=NAMES)
def test_every_example_can_be_run(ctx: click.Context) -> None:
    """The flags of each example exist and accept their values; its files need not exist."""
    epilog = ctx.command.epilog or ""
    examples = [line.strip() for line in epilog.splitlines() if line.startswith("  segserve ")]
    assert examples
    for example in examples:
        _, *words = shlex.split(example)
        _parse(words)


def _parse(words: list[str]) -> None:
    """Parse a command line as the program does, without running the command."""
    ctx = click.Context(program, info_name="segserve", **program.context_settings)
    found: click.Command = program
    while isinstance(found, click.Group):
        name, *words = words
        each = found.get_command(ctx, name)
        assert each is not None, name
        found = each
        if isinstance(found, click.Group):
            ctx = click.Context(found, parent=ctx, info_name=name)
    found.make_context(str(found.name), list(words), ctx)


@pytest.mark.parametrize("ctx", CONTEXTS, ids=NAMES)
def test_the_help_shows_defaults_and_variables(ctx: click.Context) -> None:
    """Every flag shows its default and its variable."""
    shown = re.sub(r"\s+", "", ctx.get_help())
    for each in options_of(ctx):
        if each.name != "help":
            variable = each.envvar or f"{ctx.auto_envvar_prefix}_{str(each.name).upper()}"
            variable = variable if isinstance(variable, str) else variable[0]
            assert f"var:{variable}" in shown
            default = each.to_info_dict()["default"]
            assert default in (None, False, ()) or "default:" in shown, each.name


@pytest.mark.parametrize("ctx", CONTEXTS, ids=NAMES)
def test_a_flag_and_its_variable_have_one_name(ctx: click.Context) -> None:
    """SEGSERVE_<FLAG> for shared flags, otherwise with the command's name, or its group's."""
    words = ctx.command_path.upper().replace("-", "_").replace(" ", "_")
    for each in options_of(ctx):
        if each.name != "help":
            flag = each.opts[0].removeprefix("--").replace("-", "_").upper()
            variable = each.envvar or f"{ctx.auto_envvar_prefix}_{str(each.name).upper()}"
            variable = variable if isinstance(variable, str) else variable[0]
            group = words.rpartition("_")[0]
            assert variable in (f"SEGSERVE_{flag}", f"{group}_{flag}", f"{words}_{flag}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predcit"], "No such command 'predcit'"),
        (["build", "--colour"], "No such option '--colour'"),
        (["build", "--device"], "Option '--device' requires an argument"),
        (["train"], "Missing option '--data'"),
        (["versions", "add"], "Missing argument 'ARCHIVE'"),
        (["versions", "replace", "1.0"], "No such command 'replace'"),
        (["build", "my.pth", "now"], "Got unexpected extra argument (now)"),
    ],
)
def test_a_slip_of_the_command_line_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error names the help and exits with status 2."""
    assert command(*arguments)([]) == 2
    line = capsys.readouterr().err
    assert line.startswith("segserve: ")
    assert words in line
    assert re.search(r"see `segserve[a-z ]* --help`\n$", line)
    assert line.count("\n") == 1


class _Work(Program):
    """A program whose only command fails."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__(entries={"work": Entry("nowhere", "Work.", "train")})
        self._failure = failure

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        def work() -> None:
            raise self._failure

        return click.Command(cmd_name, callback=work)


@pytest.mark.parametrize(
    ("failure", "status", "line"),
    [
        (click.ClickException("the disk\nis full"), 1, "segserve: the disk / is full\n"),
        (KeyboardInterrupt(), 130, "segserve: stopped\n"),
        (FileNotFoundError(2, "No such file", "a"), 1, "segserve: [Errno 2] No such file: 'a'\n"),
        (
            ModuleNotFoundError("no tqdm", name="tqdm.auto"),
            1,
            "segserve: `segserve work` needs the package tqdm, which is not installed: "
            f"{sys.executable} -m pip install -r deploy/requirements/train.txt\n",
        ),
    ],
)
def test_a_failure_is_one_line(
    failure: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure has an exit status and no traceback."""

    with pytest.raises(SystemExit) as ended:
        _Work(failure).main(["work"])
    assert ended.value.code == status
    assert capsys.readouterr().err == line


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """A closed pipe, as in `segserve versions list | head -0`, causes no traceback."""
    code = "import os,sys; from scripts.__main__ import program; os.close(0)\n"
    code += "r,w=os.pipe(); os.close(r); os.dup2(w,1); program.main(['--help'])"
    done = _run(code=code)
    assert done.returncode == 1
    assert done.stderr == ""


def test_the_version_of_a_model_is_not_that_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEGSERVE_VERSION is the model's version in `segserve build`."""
    monkeypatch.setenv("SEGSERVE_VERSION", "2.0")
    assert command("bench")(["--help"]) == 0
    assert "Usage: segserve bench" in capsys.readouterr().out
    assert command("--version")([]) == 0
    assert re.fullmatch(r"segserve (\d+\.\d+\S*|not installed)\n", capsys.readouterr().out)


@pytest.mark.slow
def test_in_a_container_the_folder_scripts_is_enough(tmp_path: Path) -> None:
    """The serving image has neither handler nor gateway: only `versions` runs there."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    code = (
        "import sys; from scripts.__main__ import program\n"
        "program.main(['versions', 'add', '--help'], standalone_mode=False)\n"
        "print([name for name in ('deeplab', 'gateway', 'torch', 'tqdm') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Add an archive" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
