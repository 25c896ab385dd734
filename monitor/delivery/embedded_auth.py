"""Authentication for the embedded broker's single user; amqtt loads this module by name."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session


class PasswordAuth(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no type hints
    """Accepts clients that present the configured user name and password."""

    async def authenticate(self, *, session: Session) -> bool:
        config = self.config
        given = f"{session.username}\0{session.password}"
        return hmac.compare_digest(given.encode(), f"{config.username}\0{config.password}".encode())

    @dataclass
    class Config:
        """Filled in by amqtt from the broker's configuration."""

        username: str
        password: str
