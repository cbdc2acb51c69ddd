"""One JSON object a line, built from an allow-list: ids and codes pass, everything else stays behind."""

import json
import logging
from datetime import UTC, datetime

from gateway import request_ids

#: Members a record may carry through `extra=`. A name that is not here is not written.
ALLOWED = (
    "request_id",
    "consent_id",
    "platform_id",
    "connection_id",
    "institution",
    "job_id",
    "account_id",
    "event_id",
    "event_type",
    "notice_id",
    "notice_kind",
    "task",
    "code",
    "status",
    "method",
    "route",
    "milliseconds",
    "attempts",
    "counts",
)


#: Ours: their messages are constants (tests/architecture/test_log_calls.py). What a library puts into the placeholders
#: of its messages (addresses, values, the text of an exception) is anything, so of theirs the placeholders are written.
_OURS = ("gateway", "banks", "consents")
#: Django's word on a request that it takes for an attack is the exception's text, with what was sent in it and no
#: placeholder. The logger's name says which kind it was.
_MADE_OF_WHAT_WAS_SENT = "django.security."
_REFUSED = "a request was refused"


# Nobody writes file, line, thread or process of a call, and finding them out costs as much as the line (the standard
# library's own switches, "Optimization" in its logging guide).
logging._srcfile = None
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

#: Made once: `json.dumps(default=...)` makes an encoder for each line.
_encoded = json.JSONEncoder(default=str).encode


class LineFormatter(logging.Formatter):
    """Writes the message and allowed members. An exception is named by type and place, never by its text."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        if request_id := request_ids.current():
            line["request_id"] = request_id
        carried = record.__dict__
        line.update({name: carried[name] for name in ALLOWED if name in carried})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["place"] = _places(record)
        return _encoded(line)


def _message(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] in _OURS:
        return record.getMessage()
    return _REFUSED if record.name.startswith(_MADE_OF_WHAT_WAS_SENT) else str(record.msg)


def _places(record: logging.LogRecord) -> list[str]:
    """`file:line function` of each frame: the values and the exception's text may be customer data."""
    places: list[str] = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places
