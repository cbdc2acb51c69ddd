"""Pages for developers: the problem catalogue, the OpenAPI document and Swagger UI. Public, no customer data."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView

from gateway import problem_answers, problems
from gateway.api import schema


@require_safe
def problem_index(request: HttpRequest) -> HttpResponse:
    return render(request, "problems/index.html", {"problems": problems.PROBLEMS.values()})


@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's `type` leads to."""
    problem = problems.PROBLEMS.get(code)
    if problem is None:
        raise Http404
    return render(
        request, "problems/problem.html", {"problem": problem, "action_url": problem_answers.action_url(problem)}
    )


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    body = OpenApiJsonRenderer().render(schema.document(), renderer_context={})
    return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


class SwaggerView(SpectacularSwaggerSplitView):
    """Page and script apart, everything from this origin: it runs under `script-src 'self'; style-src 'self'`."""

    url_name = "api:openapi"
    template_name = "docs/swagger.html"
