"""Bodies of requests, read strictly: JSON without two members of one name, and no member that is not known."""

from collections.abc import Collection

from banks.errors import AnswerTooLarge, BankFormatChanged
from banks.strict_json import JsonValue, parse
from gateway.errors import FieldProblem, RequestInvalid

_ECHO_LENGTH = 60


def json_object(
    body: bytes, known: Collection[str], findings: list[FieldProblem], *, values_max: int = 100
) -> dict[str, JsonValue]:
    """The object in `body`; what is wrong with it is added to `findings`. Raises RequestInvalid (no JSON at all)."""
    value = _parsed(body, values_max)
    if not isinstance(value, dict):
        findings.append(FieldProblem(pointer="", code="bad_type", detail="An object, or no body at all."))
        return {}
    for name in value.keys() - set(known):
        shown = name[:_ECHO_LENGTH].replace("~", "~0").replace("/", "~1")
        findings.append(FieldProblem(pointer=f"/{shown}", code="unknown", detail="No such member here."))
    return value


def _parsed(body: bytes, values_max: int) -> JsonValue:
    try:
        return parse(body, depth_max=4, values_max=values_max)
    except (BankFormatChanged, AnswerTooLarge):  # the parser was made for banks' answers, and so were its errors
        raise RequestInvalid(
            [FieldProblem(pointer="", code="parse_error", detail="The body is not valid JSON.")]
        ) from None
