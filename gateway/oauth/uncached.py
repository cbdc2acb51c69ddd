"""What the authorization server answers is nobody's to keep on the way (RFC 6749 section 5.1), nor its refusals."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse

Parameters = ParamSpec("Parameters")
View = Callable[Concatenate[HttpRequest, Parameters], HttpResponse]


def uncached(view: View[Parameters]) -> View[Parameters]:
    """`Cache-Control: no-store` on whatever comes out, a refused method too. Outermost of the decorators."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    return cast("View[Parameters]", answered)
