"""Remove the secrets from a source's URL before it is displayed; pure."""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"

_SECRET_NAME = r"""(?<![\w.-])(?:
    [\w.-]* (?: pass|pwd|psw|pw|secret|token|key|auth|sig|cred|login|session|jwt|pin|hash|basic|code(?!c) )
    [\w.\[\]-]{0,40}
    | p | sid
)\s*(?:=|%3D)"""
"""Names that cameras, cloud services and radio stations give to parameters with secret values."""
_FLAGS = re.IGNORECASE | re.ASCII | re.VERBOSE
_PARAMETER = re.compile(rf"({_SECRET_NAME})([^&]*(?:&[^&=]*(?=&|$))*)", _FLAGS)
"""In the query or, for some cameras, in the path: ``/user=admin&password=…``. A value may hold ``;`` and
``#``, and ``&`` too: what follows it without a ``=`` belongs to the value."""
_PARAMETER_IN_TEXT = re.compile(rf"({_SECRET_NAME})([^&\s'\"]+)", _FLAGS)
_ANY_USER = re.compile(r"://[^/\s]*@")
_PIECE = 3
"""Shorter parts of a password occur in too many words."""


def masked(url: str) -> str:
    """Return a URL whose user, password and secret parameters are replaced by ``***``.

    Where a user name ends is not always certain, since a password may hold ``/`` or ``@``. In doubt too
    much is masked.
    """
    start, end = _user(url)
    shown = f"{url[:start]}{MASK}{url[end:]}" if end > start else url
    return _PARAMETER.sub(rf"\1{MASK}", shown)


def without_secrets(text: str, url: str) -> str:
    """Replace the secrets of ``url`` wherever they or parts of them appear in a text."""
    text = text.replace(url, masked(url))
    for secret in _secrets(url):
        text = text.replace(secret, MASK)
    # A redirection leads to another URL.
    return _PARAMETER_IN_TEXT.sub(rf"\1{MASK}", _ANY_USER.sub(f"://{MASK}@", text))


def _user(url: str) -> tuple[int, int]:
    """Return the span of ``user:password``."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/*", url)
    start = scheme.end() if scheme else 0
    at = url.rfind("@")
    # In camera/a@b the @ belongs to the path: nothing before it looks like a password.
    if at < start or ("/" in url[start:at] and ":" not in url[start:at]):
        return start, start
    return start, at


def _secrets(url: str) -> list[str]:
    start, end = _user(url)
    user, _, password = url[start:end].partition(":")
    given = [password or user, *(match[2] for match in _PARAMETER.finditer(url))]
    # ffmpeg may take a password apart where it holds a delimiter, and may decode it.
    whole = {form for secret in given for form in (secret, unquote(secret)) if form}
    pieces = {piece for secret in whole for piece in re.split(r"[/?#@:&\s]", secret) if len(piece) >= _PIECE}
    return sorted(whole | pieces, key=len, reverse=True)
