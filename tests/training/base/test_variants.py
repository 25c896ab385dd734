"""Names that say which settings of a model were changed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from training.base.variants import base_of, changed, settings_of
from training.errors import DataError
from training.mixing.mixer import Recipe


@dataclass(frozen=True)
class _Settings:
    rate: float = 1e-3
    epochs: int = 20
    features: str = "log-mel"
    shuffled: bool = True
    recipe: Recipe = field(default_factory=Recipe)


_TABLE = {"net": _Settings(), "other": _Settings(rate=0.1)}


def test_a_name_without_changes_is_the_model_itself() -> None:
    assert settings_of("other", _TABLE) is _TABLE["other"]
    assert changed("net", {}) == base_of("net") == "net"


def test_settings_come_back_from_the_name_as_they_went_in() -> None:
    changes = {
        "rate": 0.00234, "epochs": 3, "features": "mfcc", "shuffled": False, "recipe.mask": 0.0,
        "recipe.level_db": (0.0, -3.5),
    }  # fmt: skip
    name = changed("net", changes)
    made = settings_of(name, _TABLE)
    assert base_of(name) == "net"
    assert (made.rate, made.epochs, made.features, made.shuffled) == (0.00234, 3, "mfcc", False)
    assert made.recipe == Recipe(mask=0.0, level_db=(0.0, -3.5))


def test_the_order_of_changes_does_not_make_another_name() -> None:
    assert changed("net", {"rate": 0.1, "epochs": 2}) == changed("net", {"epochs": 2, "rate": 0.1})


def test_a_change_of_a_changed_model_takes_the_place_of_the_first() -> None:
    assert changed("net~epochs=2~rate=0.5", {"rate": 0.1}) == "net~epochs=2~rate=0.1"


def test_a_name_is_one_part_of_a_path_and_of_a_list_with_commas() -> None:
    name = changed("net", {"recipe.level_db": (0.0, 1e-9), "rate": 1e-12})
    assert not set(name) & set("/, '\"[]")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "no model 'absent'; there are net, other"),
        ("net~speed=1", "no setting 'speed'"),
        ("net~recipe.speed=1", "no setting 'speed'"),
        ("net~rate.speed=1", "rate has no settings of its own"),
        ("net~rate", "is not key=value"),
        ("net~rate=fast", "rate cannot be 'fast'; it is 0.001"),
        ("net~epochs=2.5", "epochs cannot be 2.5"),
        ("net~shuffled=1", "shuffled cannot be 1"),
        ("net~rate=true", "rate cannot be True"),
        ("net~recipe.level_db=0", "level_db cannot be"),
        ("net~recipe.level_db=0:1:2", "level_db cannot be"),
    ],
)
def test_a_wrong_name_is_refused_and_says_why(name: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        settings_of(name, _TABLE)
