"""People, as the operator sees them: an id, and whether they may sign in. No name, no address, nothing to delete."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from consents import clock
from consents.read_only import ActingRequest, ReadOnlyAdmin, ReasonForm
from gateway.identity import closing


class PersonAdmin(ReadOnlyAdmin):
    called = "People"
    list_display = ("id", "is_active", "is_staff")
    shown = ("id", "pseudonym", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff")
    search_fields = ("id",)
    found_by = "id"
    ordering = ("id",)
    action_form = ReasonForm
    actions = ("deactivate",)

    @admin.action(description="Deactivate: signed out everywhere, every consent ended")
    def deactivate(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        if reason := self.stop_reason(request):
            actor, now = cast(ActingRequest, request).actor, clock.now()
            self.each(
                request,
                rows,
                lambda row: closing.deactivate(user_id=row.id, reason=reason, actor=actor, now=now),
                "Deactivated",
            )
