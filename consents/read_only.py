"""What every page of the operator's is made of: tables to look at, and acts with a reason. Nothing is typed in.

A class names the columns it shows; a column that is not named is not read. Addresses are a list and a detail, no more:
there is nothing to add, to change or to delete.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.templatetags.admin_list import result_headers, results
from django.db.models import DateTimeField, JSONField, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods

from consents.audit import Actor
from consents.errors import ConsentError
from consents.named import Named
from consents.reasons import OpenReason, StopReason

if TYPE_CHECKING:  # generic for type checkers alone
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin

Act = Callable[[Any], object]


class ActingRequest(HttpRequest):
    """A request of an operator. `actor` is who the audit trail names, `person` their user id, `operates` says of any
    user id whether that person is an operator: set by the site."""

    actor: Actor
    person: UUID
    operates: Callable[[UUID], bool]


class ReasonForm(ActionForm):
    """What is done with the rows that are ticked, and why: from the two closed lists of consents.reasons."""

    reason = forms.ChoiceField(
        required=False,
        label="Reason",
        choices=[
            ("", "---------"),
            ("To stop", [(one.value, one.value) for one in StopReason]),
            ("To allow again", [(one.value, one.value) for one in OpenReason]),
        ],
    )


#: What stands where nothing does. The library's details would say `None`.
_NOTHING = "-"


def _column(model: type[Model], name: str) -> Any:
    """An instant to the second, in UTC; a list of words as one writes it; anything else as the library shows it."""
    field = next((one for one in model._meta.concrete_fields if one.name == name), None)
    if not isinstance(field, (DateTimeField, JSONField)):
        return name

    @admin.display(description=str(field.verbose_name))
    def written(row: Any) -> str:
        return _written(getattr(row, name))

    return written


def _written(value: datetime | list[Any] | dict[str, Any] | None) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _NOTHING
    return json.dumps(value) if value else _NOTHING


def _headings(changelist: Any) -> list[str]:
    return [
        "Tick" if "action-checkbox-column" in str(header.get("class_attrib")) else capfirst(str(header["text"]))
        for header in result_headers(changelist)
    ]


def _rows(changelist: Any, headings: list[str]) -> Iterator[list[SafeString]]:
    """Cells as the library writes them, each with its column's heading: a narrow page shows it beside them."""
    for row in results(changelist):
        yield [
            SafeString(cell.replace(" class=", format_html(' data-heading="{}" class=', heading), 1))
            for cell, heading in zip(row, headings, strict=True)
        ]


class ReadOnlyAdmin(_Admin):
    """A list and a detail of rows. A subclass names `shown`, the columns of the detail, and `list_display`.

    `called`: the plural, as a heading. Where rows may wait for an operator, `waiting_called` is what those are called,
    and `waiting_query` the list's address query that finds them. Where it can be searched, `found_by` says by what.

    `named`: columns that hold ids of what has a name, and are shown by it. `of_all`: what stands there in a row that is
    about all of them, and so holds no id.
    """

    called = ""
    found_by = ""
    named: Mapping[str, Named] = {}
    of_all: Mapping[str, str] = {}
    waiting_called = ""
    waiting_query = ""
    shown: tuple[Any, ...] = ()
    change_list_template = "operator/list.html"
    change_form_template = "operator/detail.html"
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_full_result_count = False
    view_on_site = False
    show_facets = admin.ShowFacets.NEVER
    actions_selection_counter = False

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        columns = {field.name for field in self.opts.concrete_fields} | {
            field.attname for field in self.opts.concrete_fields
        }
        self.read = sorted({*self.shown, *self.list_display} & columns)
        self.by_name = {name: one for name, one in self.named.items() if name in columns}
        listed = [str(name) for name in self.list_display]
        self.list_display = tuple(self._named(name, self._name) or _column(model, name) for name in listed)
        self.shown = tuple(self._named(name, self._link) or _column(model, name) for name in self.shown)

    # -- names ---------------------------------------------------------------------------------------------------------

    def _named(self, column: str, told: Callable[[Any, str], str]) -> Any:
        """A column for pages that says what `told` says of a row; None where ids of this one have no names."""
        if column not in self.by_name:
            return None

        @admin.display(description=self.by_name[column].called)
        def named(row: Any) -> str:
            return told(row, column) if getattr(row, column) else self.of_all.get(column, _NOTHING)

        return named

    def _name(self, row: Any, column: str) -> str:
        id = getattr(row, column)
        return str(row.names[column].get(id, id))

    def _link(self, row: Any, column: str) -> str:
        id, name = getattr(row, column), row.names[column].get(getattr(row, column))
        return str(id) if name is None else self.by_name[column].link(name, id, self.admin_site.name)

    def _give_names(self, rows: Iterable[Any]) -> None:
        """`row.names`: by column, names by id. One query for a column, however many rows."""
        rows = list(rows)
        names = {
            column: one.names(id for row in rows if (id := getattr(row, column)))
            for column, one in self.by_name.items()
            if column in self.read
        }
        for row in rows:
            row.names = names

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        self._give_names([] if row is None else [row])
        return row

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What the library finds, and what is about something with such a name."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        called = Q()
        for column, one in self.by_name.items():
            called |= Q(**{f"{column}__in": one.with_name(search_term)})
        return (found | queryset.filter(called) if search_term and called else found), may_repeat

    # -- pages ---------------------------------------------------------------------------------------------------------

    def waiting(self) -> QuerySet[Any] | None:
        """What an operator should look at; None: nothing here ever waits for one."""
        return None

    def name_of(self, row: Any) -> str:
        """What its page is headed by, after the kind."""
        return str(row.pk)

    def get_urls(self) -> list[URLPattern]:
        """Of the library's seven addresses the two that only show; a hand is a POST to the list."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        reading = require_http_methods(["GET", "HEAD"])
        listing = require_http_methods(["GET", "HEAD", "POST"]) if self.actions else reading
        view = self.admin_site.admin_view
        return [
            path("", view(listing(self.changelist_view)), name=f"{name}_changelist"),
            path("<str:object_id>/change/", view(reading(self.change_view)), name=f"{name}_change"),
        ]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[Any, ...]:
        return self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[Any, ...]:
        return self.shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only the columns that are shown."""
        return self.rows().only("pk", *self.read)

    def rows(self) -> QuerySet[Any]:
        """Every row; a table whose rows name an authority overrides this."""
        return cast("QuerySet[Any]", cast(Any, self.model).objects.all())

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """The library would lead to the start page with a message; what is not there is 404 here as everywhere."""
        raise Http404

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True  # the site has asked who it is

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # -- acts ----------------------------------------------------------------------------------------------------------

    def stop_reason(self, request: HttpRequest) -> str | None:
        """None, and the operator told so: none was chosen, or one that allows."""
        return self._reason(request, StopReason)

    def open_reason(self, request: HttpRequest) -> str | None:
        return self._reason(request, OpenReason)

    def _reason(self, request: HttpRequest, reasons: type[StopReason] | type[OpenReason]) -> str | None:
        chosen = request.POST.get("reason", "")
        if chosen in {one.value for one in reasons}:
            return chosen
        wanted = ", ".join(one.value for one in reasons)
        self.message_user(request, f"Choose one of these reasons: {wanted}.", messages.ERROR)
        return None

    def each(self, request: HttpRequest, rows: Iterable[Any], act: Act, done: str) -> None:
        """Carry `act` out on each row, each in a transaction of its own; what is refused is told, and nothing else."""
        count = 0
        for row in rows:
            try:
                act(row)
            except ConsentError as refused:
                self.message_user(request, f"{row}: refused ({type(refused).__name__}).", messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(request, f"{done}: {count}.", messages.SUCCESS)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "POST":
            # A hand reaches the rows that were ticked, never all that the filter finds beyond the page.
            ticked = request.POST.copy()
            ticked["select_across"] = "0"
            request.POST = ticked  # type: ignore[assignment]
        answer = super().changelist_view(request, {"title": self.called, **(extra_context or {})})
        if isinstance(answer, TemplateResponse) and answer.context_data is not None and "cl" in answer.context_data:
            changelist = answer.context_data["cl"]
            self._give_names(changelist.result_list)
            headings = _headings(changelist)
            answer.context_data.update(headings=headings, rows=_rows(changelist, headings))
        return answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        title = f"{str(self.opts.verbose_name).capitalize()} {self.name_of(row)}"
        return super().render_change_form(request, {**context, "title": title, "called": self.called}, *args, **kwargs)
