"""Whether a server answers yet; `python -m gateway.embedded.readiness URL` asks once, for health checks."""

import argparse
import http.client
import sys
import urllib.error
import urllib.request

#: Proxies of the environment must not come between two processes of one machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Whether `url` answers 200 within two seconds."""
    try:
        with _DIRECT.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def bank_ready_url(bank: str) -> str:
    return f"{bank}/.well-known/openid-configuration"


def web_ready_url(issuer: str) -> str:
    return f"{issuer}/readyz"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m gateway.embedded.readiness",
        description="Exit 0 when URL answers 200 within two seconds, 1 otherwise. Past any proxy.",
        epilog="For example: python -m gateway.embedded.readiness http://127.0.0.1:8000/readyz",
    )
    top.add_argument("url", metavar="URL", type=_address, help="what to ask for")
    return top


def _address(typed: str) -> str:
    if not typed.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("begins with http:// or https://")
    return typed


if __name__ == "__main__":
    sys.exit(0 if answers(parser().parse_args().url) else 1)
