"""``--version`` names the program, the model that ships, and the runtime."""

from __future__ import annotations

from importlib import metadata

from click.testing import CliRunner

from monitor import __version__
from monitor.cli.commands import cli
from monitor.model.package import read_package
from monitor.stream.assembly import SHIPPED_MODEL


def test_version_names_program_model_and_runtime() -> None:
    card = read_package(SHIPPED_MODEL).card
    assert card is not None
    program, model, runtime = CliRunner().invoke(cli, ["--version"]).stdout.splitlines()
    assert program == f"sound-monitor {__version__}"
    assert model == f"model {card.name} {card.version}"
    name, version = runtime.removeprefix("runtime ").split()
    assert version == metadata.version(name)
