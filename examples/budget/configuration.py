"""What this platform is told at its registration, and where it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """`issuer`: Sluice's. `origin`: where people's browsers reach this app, without a slash at the end."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    origin: str
    data_directory: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Configuration":
        """From BUDGET_ISSUER, _CLIENT_ID, _CLIENT_SECRET, _ORIGIN and _DATA_DIRECTORY. Raises KeyError: none has a
        default."""
        return cls(
            issuer=environment["BUDGET_ISSUER"],
            client_id=environment["BUDGET_CLIENT_ID"],
            client_secret=environment["BUDGET_CLIENT_SECRET"],
            origin=environment["BUDGET_ORIGIN"],
            data_directory=Path(environment["BUDGET_DATA_DIRECTORY"]),
        )

    @property
    def redirect_uri(self) -> str:
        """As it is registered, to the letter."""
        return f"{self.origin}/callback"

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https:")
