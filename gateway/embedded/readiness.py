"""Whether a server answers yet."""

import http.client
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
