"""What every section of the config has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from monitor.errors import ConfigError


def without_tilde(path: str, key: str) -> Path:
    """Replace ``~`` and ``~user`` at the start of a path.

    Raises
    ------
    ConfigError
        If that home directory is not known, as for a container's user without a passwd entry.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{key}: the home directory in {path} is not known; set {key} to a whole path, or HOME"
        ) from None


def _file_path(path: str) -> str:
    if not Path(path).name:
        raise ValueError("must name a file")
    return path


FilePath = Annotated[str, AfterValidator(_file_path)]
"""A path that names a file, unlike an empty one, ``.`` and ``/``."""


class Section(BaseModel):
    """Base of all sections: frozen, an unknown key is an error, and an empty section keeps its defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, values: Any) -> Any:
        return {} if values is None else values
