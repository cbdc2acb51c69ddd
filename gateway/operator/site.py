"""Django's admin as the operator's pages: a site of our own, with what is registered here and nothing else.

Of the library's addresses only lists and details are mounted. Its sign-in is not: people sign in as everywhere, and the
session must have seen a second factor (gateway.identity.staff).
"""

from collections.abc import Callable
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

import banks.admin
import consents.admin
from consents.audit import Actor
from consents.read_only import ActingRequest, ReadOnlyAdmin
from consents.states import Initiator
from gateway.identity import staff
from gateway.identity.models import User
from gateway.identity.pages import PersonRequest, SeeOther, private
from gateway.operator.people import PersonAdmin
from gateway.request_ids import request_id_of

View = Callable[..., HttpResponse]


class OperatorSite(AdminSite):
    """`operator_only` decides who sees anything; the library's permissions are not asked."""

    site_title = "Operator"
    site_header = "Operator"
    index_title = "What runs here"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return staff.operator_only(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """Visitors sign in, others find nothing, operators prove themselves; and no cache keeps a page."""
        protected = csrf_protect(view)

        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not self.has_permission(request):
                return staff.operator_refusal(cast(PersonRequest, request))
            acting = cast(ActingRequest, request)
            acting.person = request.user.id
            acting.operates = staff.operates
            acting.actor = Actor(
                initiator=Initiator.OPERATOR, pseudonym=request.user.pseudonym, request_id=request_id_of(request)
            )
            return _see_other(protected(acting, *args, **kwargs))

        return private(shown)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        tables = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(table.get_urls()))
            for model, table in self._registry.items()
        ]
        index = require_http_methods(["GET", "HEAD"])(self.index)
        return [path("", self.admin_view(index), name="index"), *tables]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"site_header": self.site_header, "has_permission": True}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        tables = cast("dict[type[Any], ReadOnlyAdmin]", self._registry)
        addresses = {model: reverse(f"{self.name}:{_name(model)}_changelist") for model in tables}
        due = [
            (table.waiting_called, f"{addresses[model]}?{table.waiting_query}", count)
            for model, table in tables.items()
            if (count := _count(table.waiting()))
        ]
        entries = [(table.called, addresses[model]) for model, table in tables.items()]
        return render(request, "operator/index.html", {"title": self.index_title, "due": due, "entries": entries})


def _name(model: type[Any]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def _count(waiting: QuerySet[Any] | None) -> int:
    return 0 if waiting is None else waiting.count()


def _see_other(response: HttpResponse) -> HttpResponse:
    """The library redirects with 302 after a POST; 303 says that the browser is to GET."""
    return SeeOther(response["Location"]) if response.status_code == 302 else response


#: Policies are in the one package, the names of the banks that have them in the other: here both are known.
_NAMED = {**banks.admin.NAMED, **consents.admin.NAMED}
site = OperatorSite(name="operator")
for _tables in (banks.admin.ADMINS, consents.admin.ADMINS, {User: PersonAdmin}):
    for _model, _admin in _tables.items():
        site.register(_model, _admin, named=_NAMED)
