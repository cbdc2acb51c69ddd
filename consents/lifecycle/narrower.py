"""What a user takes away of what was asked, or of what they allowed before. Nothing in it can add."""

from collections.abc import Collection
from dataclasses import dataclass

from consents.scopes import LocationPrecision, Scope, SensitiveGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrower:
    """None and empty: as it is. `is_one_time`: for one use, within a day."""

    duration_days: int | None = None
    is_one_time: bool = False
    location_precision: LocationPrecision | None = None
    on_platform_only: bool = False
    hidden_groups: frozenset[SensitiveGroup] = frozenset()

    def days_within(self, days: int) -> int:
        """Raises ValueError beyond `days`, or below 1."""
        if self.duration_days is None:
            return days
        if not 1 <= self.duration_days <= days:
            raise ValueError("duration_days may only shrink")
        return self.duration_days

    def precision_within(self, precision: str | None, scopes: Collection[Scope]) -> LocationPrecision | None:
        """None without the scope that it belongs to. Raises ValueError for a closer one."""
        if precision is None or Scope.LOCATIONS not in scopes:
            return None
        current = LocationPrecision(precision)
        wanted = self.location_precision or current
        if wanted.reach > current.reach:
            raise ValueError("location_precision may only become coarser")
        return wanted


UNCHANGED = Narrower()
