"""Settings of one pretend bank. Everything that differs between banks and machines comes from the environment:

SANDBOX_BANK             which bank this is: first (the default) or card; see banks/sandbox/profile.py
SANDBOX_DATA_DIRECTORY   required; holds sandbox.sqlite3, secret_key, signing_key.json and bank, all made when missing
SANDBOX_ISSUER           required; the bank's origin and issuer identifier, such as http://127.0.0.1:8001
SANDBOX_CONTROL_TOKEN    bearer token of the control API; without it the control API answers 404
SANDBOX_ALLOWED_HOSTS    further host names it answers to, separated by commas
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from banks.sandbox.keyfiles import keep
from banks.sandbox.profile import PROFILE

_REQUIRED = ("SANDBOX_DATA_DIRECTORY", "SANDBOX_ISSUER")
if _missing := [name for name in _REQUIRED if not os.environ.get(name, "").strip()]:
    raise ImproperlyConfigured(f"Set {' and '.join(_missing)}: see banks/sandbox/settings.py.")

SANDBOX_DATA_DIRECTORY = Path(os.environ["SANDBOX_DATA_DIRECTORY"].strip())
SANDBOX_DATA_DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
# Consents in there are of this bank's own customers; the people of another bank are none.
if keep(SANDBOX_DATA_DIRECTORY / "bank", lambda: PROFILE.key) != PROFILE.key:
    raise ImproperlyConfigured(f"{SANDBOX_DATA_DIRECTORY} belongs to another pretend bank than {PROFILE.name}.")

SANDBOX_ISSUER = os.environ["SANDBOX_ISSUER"].strip()
_issuer = urlsplit(SANDBOX_ISSUER)
if _issuer.scheme not in ("http", "https") or not _issuer.hostname or _issuer.path or _issuer.query or _issuer.fragment:
    raise ImproperlyConfigured("SANDBOX_ISSUER is an origin without a trailing slash, such as http://127.0.0.1:8001.")

SANDBOX_CONTROL_TOKEN = os.environ.get("SANDBOX_CONTROL_TOKEN", "")

SECRET_KEY = keep(SANDBOX_DATA_DIRECTORY / "secret_key", lambda: secrets.token_urlsafe(64))
DEBUG = False
# Made here, because SQLite would make it readable to everybody; its WAL files take the mode of the database.
os.close(os.open(SANDBOX_DATA_DIRECTORY / "sandbox.sqlite3", os.O_CREAT, 0o600))
ALLOWED_HOSTS = [
    _issuer.hostname,
    "127.0.0.1",
    "localhost",
    "[::1]",
    *(host.strip() for host in os.environ.get("SANDBOX_ALLOWED_HOSTS", "").split(",") if host.strip()),
]

INSTALLED_APPS = ["django.contrib.sessions", "django.contrib.staticfiles", "banks.sandbox"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "banks.sandbox.middleware.PageHeaders",
    "banks.sandbox.middleware.RequestLog",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "banks.sandbox.urls"
WSGI_APPLICATION = "banks.sandbox.wsgi.application"
APPEND_SLASH = False

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SANDBOX_DATA_DIRECTORY / "sandbox.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            # A write lock asked for up front waits; one asked for in mid-transaction fails with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["banks.sandbox.pages.bank"]},
    }
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

SESSION_COOKIE_NAME = PROFILE.session_cookie
CSRF_COOKIE_NAME = PROFILE.csrf_cookie
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _issuer.scheme == "https"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 1800
CSRF_FAILURE_VIEW = "banks.sandbox.pages.csrf_failure"
X_FRAME_OPTIONS = "DENY"
# Not "no-referrer": browsers then send `Origin: null` with our own forms, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 65_536
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
