"""Ask a user of your own instance for consent, as a platform does: `python3 -m examples.ask` (docs/quickstart.md).

Prints the link to open in a browser, waits at the redirect URI for the answer, and prints CODE and VERIFIER as shell
variables. Standard library only.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

SCOPES = ("accounts", "balances")
PURPOSE = "account_overview"


class NotGiven(Exception):
    """The answer that came is no consent, or not to our question."""


class _Callback(BaseHTTPRequestHandler):
    answers: list[dict[str, str]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == urlsplit(os.environ["REDIRECT_URI"]).path:
            self.answers.append(dict(parse_qsl(parts.query)))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"Thank you. Go on in the terminal.\n")

    def log_message(self, *_: object) -> None:
        """The address has the code in it."""


def ask(scopes: Sequence[str] = SCOPES) -> tuple[str, str]:
    """(code, verifier), once the user has said yes. Raises NotGiven, KeyError, OSError."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    print(f"Open this in your browser:\n\n{_link(scopes, state, verifier)}\n", file=sys.stderr, flush=True)
    answer = _wait()
    # RFC 9207: a code from another server must not be sent to this one.
    if answer.get("state") != state or answer.get("iss") != os.environ["SLUICE"]:
        raise NotGiven("the answer is not to our question")
    if "code" not in answer:
        raise NotGiven(answer.get("error", "no code"))
    return answer["code"], verifier


def _link(scopes: Sequence[str], state: str, verifier: str) -> str:
    """RFC 6749 section 4.1.1 with PKCE (RFC 7636) and what is asked for (RFC 9396)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    details = [{"type": "account_information", "scopes": list(scopes), "purposes": [PURPOSE]}]
    query = {
        "response_type": "code",
        "client_id": os.environ["CLIENT_ID"],
        "redirect_uri": os.environ["REDIRECT_URI"],
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "authorization_details": json.dumps(details),
    }
    return f"{os.environ['SLUICE']}/oauth/authorize?{urlencode(query)}"


def _wait() -> dict[str, str]:
    place = urlsplit(os.environ["REDIRECT_URI"])
    _Callback.answers.clear()
    with HTTPServer((place.hostname or "", place.port or 80), _Callback) as server:
        while not _Callback.answers:
            server.handle_request()
    return _Callback.answers[0]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python3 -m examples.ask",
        description="Ask a user of your own instance for consent: print the link to open, wait for the answer, print "
        "CODE and VERIFIER as shell variables. SLUICE, CLIENT_ID and REDIRECT_URI come from the environment.",
        epilog='For example, after ". var/platform.env": eval "$(python3 -m examples.ask)"',
    )
    top.add_argument(
        "--scopes", nargs="+", default=SCOPES, metavar="SCOPE", help="what to ask for (default: accounts balances)"
    )
    return top


def main() -> int:
    options = parser().parse_args()
    missing = [name for name in ("SLUICE", "CLIENT_ID", "REDIRECT_URI") if not os.environ.get(name)]
    if missing:
        print(f"Not set: {', '.join(missing)}. Type: . var/platform.env", file=sys.stderr)
        return 2
    try:
        code, verifier = ask(options.scopes)
    except NotGiven as error:
        print(f"No consent: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"No answer can come to {os.environ['REDIRECT_URI']}: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("No consent: interrupted", file=sys.stderr)
        return 130
    print(f"CODE={shlex.quote(code)} VERIFIER={shlex.quote(verifier)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
