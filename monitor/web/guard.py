"""Access control, applied before any handler runs.

- ``Host`` must be a known name, so that no foreign page can reach the server through a domain that
  resolves to this address (DNS rebinding).
- Requests that change something, and the WebSocket, must come from a page of the same origin.
- Except on loopback, everything but ``healthz``, the style sheet and the login requires the password,
  as ``Authorization: Bearer`` or as the cookie set by the login.
- A trusted proxy has already checked the host name and authenticated the user.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

COOKIE = "sound-monitor"
MOST_BYTES = 64 * 1024
"""Of a request's body."""

PUBLIC = ("/healthz", "/login", "/static/")
"""Paths that need no password."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

_READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Request:
    """The parts of a request that are checked.

    Attributes
    ----------
    headers
        Names in lower case.
    client
        Address from which the connection comes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    websocket: bool = False
    client: str | None = None


@dataclass(frozen=True)
class Refusal:
    """The response sent in place of the handler's."""

    status: int
    reason: str


@dataclass(frozen=True)
class Rules:
    """The rules that requests are checked against.

    Parameters
    ----------
    names
        Host names accepted in addition to loopback, single-label and ``.local`` names.
    password
        None = no password is required.
    proxies
        Addresses of proxies that authenticate users themselves; without a password, only they and loopback
        may connect.
    """

    names: tuple[str, ...] = ()
    password: str | None = None
    proxies: frozenset[str] = frozenset()

    def judge(self, request: Request) -> Refusal | None:
        """Return why a request is refused; None if it is accepted."""
        headers = request.headers
        proxied = request.client in self.proxies
        if not proxied and not self.knows(host_of(headers.get("host", ""))):
            return Refusal(403, "this host name is not ours; add it to web.names")
        changes = request.websocket or request.method not in _READING
        if changes and not self._same_origin(headers):
            return Refusal(403, "the request comes from another site")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:12]) > MOST_BYTES:
            return Refusal(413, f"the body is larger than {MOST_BYTES} bytes")
        if proxied or request.path.startswith(PUBLIC):
            return None
        if self.password is None:
            if self.proxies and not _is_loopback(request.client):
                return Refusal(403, "only the proxies of web.trusted_proxies are served")
            return None
        if self._knows_password(headers):
            return None
        return Refusal(401, "log in, or send the password as Authorization: Bearer")

    def knows(self, host: str) -> bool:
        """Return whether a host name can lead here only with its owner's intent."""
        if not host:
            return False
        try:
            ipaddress.ip_address(host)
            return True  # a literal address cannot be rebound
        except ValueError:
            return "." not in host or host.endswith((".local", ".localhost")) or host in self.names

    def session(self) -> str:
        """Return the cookie of users who gave the password; changing the password invalidates it."""
        return _session(self.password or "")

    def accepts(self, password: str) -> bool:
        return self.password is not None and _equal(password, self.password)

    def _knows_password(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.accepts(token.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _equal(cookie.value, self.session())

    def _same_origin(self, headers: Mapping[str, str]) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = headers.get("origin")
        if origin is None:
            return True  # browsers always send this header; the client is curl or a script
        parts = urlsplit(origin)
        return parts.netloc == headers.get("host") or (parts.hostname or "") in self.names


def host_of(header: str) -> str:
    """Return the name in a ``Host`` header, in lower case and without port; empty if malformed."""
    try:
        parts = urlsplit(f"//{header}")
        parts.port  # noqa: B018 - raises on an invalid port
    except ValueError:
        return ""
    return (parts.hostname or "").lower().rstrip(".") if parts.netloc == header and "@" not in header else ""


def _is_loopback(client: str | None) -> bool:
    try:
        return ipaddress.ip_address(client or "").is_loopback
    except ValueError:
        return False


def _session(password: str) -> str:
    return hmac.new(password.encode(), b"sound-monitor page", sha256).hexdigest()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
