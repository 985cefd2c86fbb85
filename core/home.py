"""Where Datalchemy keeps what outlives a run: the response store, indexes."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import StorageError


def home() -> Path:
    """DATALCHEMY_HOME, else ~/.local/share/datalchemy (XDG_DATA_HOME honoured). Raises StorageError where there is no home folder."""
    if named := os.environ.get("DATALCHEMY_HOME"):
        return Path(named).expanduser()
    try:
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "datalchemy"
    except RuntimeError as error:
        raise StorageError("there is no home folder to keep things in; set DATALCHEMY_HOME to a writable folder") from error
