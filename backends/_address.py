"""What a server's address and the name of its key's variable must look like."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ..core.errors import RecipeError


def checked_variable(name: str | None) -> str | None:
    """The name of an environment variable itself. Raises ValueError for what may be a key."""
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("expected the name of an environment variable, not a key: export the key and write the variable's name")
    return name


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises ValueError."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"expected an address such as http://127.0.0.1:8000/v1, got {url!r}")
    if parts.username or parts.password:
        raise ValueError("an address must not hold a key or password; name an environment variable in `api_key_env`")
    if parts.query or parts.fragment:
        raise ValueError("the address of a server has no ? or # part; give the model as `name`")
    return url.rstrip("/")


def secret_in(key: str) -> str:
    """What is taken out of whatever a server sends back: the key; "" for one that is none (`EMPTY`, as vLLM's clients send),
    which would be taken out of the answers' own words."""
    return key if len(key) >= 8 else ""


def key_of(variable: str | None) -> str:
    """The key that a variable holds; "" where none is named. Raises RecipeError where it is not set."""
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RecipeError(f"the environment variable {variable} (api_key_env) is not set: export {variable}=...")
    if not key.isprintable() or not key.isascii():
        raise RecipeError(f"the environment variable {variable} (api_key_env) holds characters that no key has")
    return key
