"""A user is warned of settings that the user wrote, not of those that came with the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.model.package import read_package, write_package
from monitor.stream.assembly import SHIPPED_MODEL, assemble

DOUBTFUL = {"enter": 0.9, "exit": 0.5, "attack_s": 1.0, "smoothing_s": 1.0}


@pytest.fixture
def doubtful_model(tmp_path: Path) -> Path:
    """The shipped model, its card asking more of a siren than one window can give."""
    package = read_package(SHIPPED_MODEL)
    assert package.card is not None
    values = package.card.model_dump(mode="json", by_alias=True)
    values["classes"]["siren"] = {"shortest_s": 2.0, "profiles": {"quiet": DOUBTFUL}}
    path = tmp_path / "doubtful.tflite"
    write_package(
        path, package.flatbuffer, package.labels, type(package.card).model_validate(values), package.sounds
    )
    return path


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ([], False),
        (["events.classes.siren.cooldown_s=60"], False),
        (["events.classes.siren.attack_s=1.4"], True),
        (["events.defaults.smoothing_s=1.4"], True),
    ],
)
def test_a_warning_is_for_what_the_user_wrote(doubtful_model, caplog, written, warned):
    assemble(load_config(None, (f"model.path={doubtful_model}", "events.enabled=[siren]", *written)))
    assert ("siren" in caplog.text and "may be missed" in caplog.text) == warned


def test_it_is_said_which_classes_are_never_reported(caplog):
    caplog.set_level("INFO")
    assemble(load_config(None, ("events.classes.siren.enter=1", "events.enabled=[siren, dog_bark]")))
    assert "profile quiet never reports siren; events.profile: sensitive may" in caplog.text
