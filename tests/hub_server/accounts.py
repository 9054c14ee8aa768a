"""Users, organisations and tokens of the test Hub, and who may do what."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import HTTPConnection

from tests.hub_server.errors import HubError, unauthorised

Role = Literal["read", "write"]


@dataclass(frozen=True)
class Principal:
    """The owner of a token, and what the token lets him do at most."""

    name: str
    role: Role


@dataclass
class Accounts:
    """Everybody whom the Hub knows. Tokens are random and never logged."""

    tokens: dict[str, Principal] = field(default_factory=dict)
    organisations: dict[str, dict[str, Role]] = field(default_factory=dict)

    def add_user(self, name: str, role: Role = "write") -> str:
        """A token of a user, who is made if need be; ``read`` tokens never write."""
        token = f"hf_{secrets.token_hex(17)}"
        self.tokens[token] = Principal(name, role)
        return token

    def add_organisation(self, name: str, **members: Role) -> None:
        """A namespace shared by users; ``read`` members see what is private there."""
        self.organisations[name] = members

    def principal(self, connection: HTTPConnection) -> Principal | None:
        """Who asks; None without a token.

        Raises:
            HubError: 401, for a token that nobody owns.
        """
        header = connection.headers.get("authorization")
        if header is None:
            return None
        known = self.tokens.get(header.removeprefix("Bearer "))
        if known is None:
            raise unauthorised("Invalid credentials in Authorization header")
        return known

    def signed_in(self, connection: HTTPConnection) -> Principal:
        """Who asks, a token being needed.

        Raises:
            HubError: 401, without a good token.
        """
        known = self.principal(connection)
        if known is None:
            raise unauthorised()
        return known

    def access(self, who: Principal | None, namespace: str, private: bool) -> Role | None:
        """What somebody may do in a namespace to a repository of that visibility."""
        granted: Role | None = None if private else "read"
        if who is None:
            return granted
        if who.name == namespace:
            granted = "write"
        else:
            granted = self.organisations.get(namespace, {}).get(who.name, granted)
        return "read" if granted == "write" and who.role == "read" else granted

    def require_write(self, who: Principal | None, namespace: str) -> Principal:
        """Somebody who may write in a namespace.

        Raises:
            HubError: 401 without a token, 403 with one that does not reach that far.
        """
        if who is None:
            raise unauthorised()
        if self.access(who, namespace, private=True) != "write":
            reason = "this token only reads" if who.role == "read" else f"{who.name} is no member"
            raise HubError(403, f"You may not write in the namespace {namespace}: {reason}")
        return who

    def whoami(self, who: Principal) -> dict[str, Any]:
        """The answer of ``whoami-v2``."""
        joined = [
            (name, all_[who.name]) for name, all_ in self.organisations.items() if who.name in all_
        ]
        return {
            "type": "user",
            "id": who.name,
            "name": who.name,
            "fullname": who.name.title(),
            "isPro": False,
            "orgs": [{"type": "org", "name": name, "roleInOrg": role} for name, role in joined],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": "tests", "role": who.role},
            },
        }
