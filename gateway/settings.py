"""Django's settings, top to bottom. Everything that differs between installations comes from gateway.environment."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gateway import environment

BASE_DIR = environment.BASE_DIRECTORY
ENVIRONMENT = environment.load()
DATA_DIRECTORY = ENVIRONMENT.sluice_data_directory
SECRETS_DIRECTORY = environment.secrets_directory()

# -- identity of this server -------------------------------------------------------------------------------------------

DEBUG = False
SECRET_KEY = ENVIRONMENT.sluice_secret_key.get_secret_value()
ISSUER = ENVIRONMENT.sluice_issuer
EMBEDDED = ENVIRONMENT.sluice_embedded
READY_FILE = ENVIRONMENT.sluice_ready_file
ALLOWED_HOSTS = sorted({urlsplit(ISSUER).hostname or "", *(("127.0.0.1", "localhost") if EMBEDDED else ())})
VAULT_KEYS = {name: key.get_secret_value() for name, key in ENVIRONMENT.sluice_vault_keys.items()}
PAIRWISE_ROOT_KEY = ENVIRONMENT.sluice_pairwise_root_key.get_secret_value()

ROOT_URLCONF = "gateway.urls"
WSGI_APPLICATION = "gateway.wsgi.application"
AUTH_USER_MODEL = "identity.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "gateway.identity",
    "gateway.notify",
    "gateway.oauth",
    "gateway.portal",
    "gateway",
    "consents",
    "banks",
    "oauth2_provider",
]

MIDDLEWARE = [
    "gateway.request_ids.RequestIdMiddleware",
    # Hot reads pass none of what follows.
    "gateway.api.hot.HotReads",
    "gateway.oauth.lean.LeanToken",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gateway.health.ProbeMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gateway.identity.sessions.EndedSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "gateway" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gateway.identity.navigation.navigation",
            ]
        },
    }
]

# -- database ----------------------------------------------------------------------------------------------------------


def _database(url: str, sqlite_file: Path) -> dict[str, Any]:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(sqlite_file),
            "OPTIONS": {
                "timeout": 20,
                # Without IMMEDIATE two writers that first read deadlock at once, whatever the timeout.
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _database("", Path(unquote(parts.path)))
    if parts.scheme not in ("postgresql", "postgres"):
        raise environment.EnvironmentInvalid("DATABASE_URL must start with postgresql:// or sqlite:///")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": asked.pop("host", parts.hostname or ""),
        "PORT": _port(parts),
        "OPTIONS": _of_libpq(asked),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Also of banks.prepared: nothing is prepared on a connection that the next transaction may not have.
        "DISABLE_SERVER_SIDE_CURSORS": ENVIRONMENT.sluice_database_pooler == "transaction",
    }


def _port(parts: SplitResult) -> str:
    """Raises EnvironmentInvalid: a `/`, `?` or `#` in a password ends the part that it is in."""
    unreadable = environment.EnvironmentInvalid(
        "DATABASE_URL cannot be read: in a user's name and a password / ? # @ : are written as %2F %3F %23 %40 %3A"
    )
    try:
        port = str(parts.port or "")
    except ValueError:  # whose own words have the value
        raise unreadable from None
    if parts.fragment:
        raise unreadable
    return port


def _of_libpq(asked: dict[str, str]) -> dict[str, str]:
    """What follows the `?`: sslmode, sslrootcert, connect_timeout ... Raises EnvironmentInvalid for what is none of
    them: one that was passed over would be TLS that somebody believes in.
    """
    from psycopg import pq  # SQLite needs none of it

    if not asked.keys() <= {one.keyword.decode() for one in pq.Conninfo.get_defaults()}:
        raise environment.EnvironmentInvalid(
            "DATABASE_URL has something after its ? that a connection to PostgreSQL does not know; it knows sslmode, "
            "sslrootcert, connect_timeout and the like. In a password a ? is written as %3F"
        )
    return asked


DATABASES = {"default": _database(ENVIRONMENT.database_url, DATA_DIRECTORY / "sluice.sqlite3")}


def _cache_beside(broker: str) -> str:
    """The next logical database of the same Redis: emptying a cache must not empty the queue."""
    parts = urlsplit(broker)
    number = parts.path.lstrip("/") or "0"
    return parts._replace(path=f"/{int(number) + 1}").geturl() if number.isdigit() else broker


# Never per-process memory: sign-in limits and replay stores must hold across processes.
CACHES: dict[str, Any] = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": _cache_beside(ENVIRONMENT.redis_url),
            # Requests wait for it.
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
        if ENVIRONMENT.redis_url
        else {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache_entry",
            # Beyond it entries go that are still good: codes that were used, failures that a limit counts. Each job
            # has one too, and the library's 300 are gone in a minute.
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    )
}

# -- jobs: the database is the queue of record; Celery wakes and spreads the workers ----------------------------------

JOB_LEASE_SECONDS = ENVIRONMENT.sluice_job_lease_seconds
TICK_SECONDS = ENVIRONMENT.sluice_tick_seconds
RECONCILE_SECONDS = ENVIRONMENT.sluice_reconcile_seconds

CELERY_BROKER_URL = ENVIRONMENT.redis_url or "filesystem://"
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_REMOTE_TRACEBACKS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = ENVIRONMENT.sluice_worker_threads
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5 if EMBEDDED else 60
# An idle embedded worker has nothing to wait for: Ctrl-C should be quick.
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = not EMBEDDED
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "gateway.beat:Scheduler"  # Celery's own writes a file, and asks more often than it need
# Any number of beats may send these, and every worker also runs them by itself (gateway/reconciler.py): each is safe to
# run twice, and at the same time.
CELERY_BEAT_SCHEDULE = {
    "banks.tick": {"task": "banks.tick", "schedule": TICK_SECONDS, "options": {"expires": max(TICK_SECONDS, 1.0)}},
    "banks.sweep_endings": {"task": "banks.sweep_endings", "schedule": 5.0, "options": {"expires": 5.0}},
    "banks.care": {"task": "banks.care", "schedule": 300.0, "options": {"expires": 300.0}},
    "banks.reconcile": {"task": "banks.reconcile", "schedule": 30.0, "options": {"expires": 30.0}},
    "banks.sweep": {"task": "banks.sweep", "schedule": 900.0, "options": {"expires": 900.0}},
    "consents.spread": {"task": "consents.spread", "schedule": 1.0, "options": {"expires": 1.0}},
    "consents.sweep": {"task": "consents.sweep", "schedule": 60.0, "options": {"expires": 60.0}},
    "notify.collect": {"task": "notify.collect", "schedule": 5.0, "options": {"expires": 5.0}},
    "notify.send": {"task": "notify.send", "schedule": 10.0, "options": {"expires": 10.0}},
    "notify.sweep": {"task": "notify.sweep", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "portal.dispatch_exports": {"task": "portal.dispatch_exports", "schedule": 5.0, "options": {"expires": 5.0}},
    "portal.sweep_exports": {"task": "portal.sweep_exports", "schedule": 300.0, "options": {"expires": 300.0}},
    "consents.withdraw": {"task": "consents.withdraw", "schedule": 10.0, "options": {"expires": 10.0}},
    "oauth.sweep": {"task": "oauth.sweep", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "identity.sweep": {"task": "identity.sweep", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "gateway.sweep": {"task": "gateway.sweep", "schedule": 3600.0, "options": {"expires": 3600.0}},
}
if ENVIRONMENT.redis_url:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "visibility_timeout": 600,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "retry_on_timeout": True,
        "health_check_interval": 25,
        "global_keyprefix": "sluice:",
    }
else:
    _SPOOL = DATA_DIRECTORY / "spool"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_SPOOL / "messages"),
        "data_folder_out": str(_SPOOL / "messages"),
        "control_folder": str(_SPOOL / "control"),
        "polling_interval": 0.1,
        "store_processed": False,
    }
    for _folder in ("messages", "control"):
        (_SPOOL / _folder).mkdir(parents=True, exist_ok=True)

# -- people ------------------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:consents"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# Wrong passwords count by address first: by name alone, six from a stranger would lock the owner out. 60 an hour from
# everywhere together leave nothing to guess at 12 characters.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,60/h/key"}
# Unset behind a proxy, everybody shares the proxy's address, and one stranger uses up everybody's attempts.
ALLAUTH_TRUSTED_PROXY_COUNT = ENVIRONMENT.sluice_trusted_proxies
ACCOUNT_ADAPTER = "gateway.identity.adapters.AccountAdapter"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_ADAPTER = "gateway.identity.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Sluice"
# A telephone's clock may be half a minute off.
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "gateway.identity.forms.SecondFactorForm",
    "reauthenticate": "gateway.identity.forms.ConfirmByCodeForm",
}

# -- mail --------------------------------------------------------------------------------------------------------------

#: Empty: nothing is mailed, and every notice stands on the person's page alone.
MAIL_FROM = "Sluice <sluice@localhost>" if EMBEDDED else ENVIRONMENT.sluice_mail_from
DEFAULT_FROM_EMAIL = MAIL_FROM
#: Where an embedded instance keeps the mails it would have sent: /dev/mail shows them.
MAIL_DIRECTORY = DATA_DIRECTORY / "mail"
EMAIL_BACKEND = "gateway.notify.mailbox.FileBackend" if EMBEDDED else "gateway.notify.smtp.BoundedBackend"
EMAIL_HOST = ENVIRONMENT.sluice_mail_host
EMAIL_PORT = ENVIRONMENT.sluice_mail_port
EMAIL_HOST_USER = ENVIRONMENT.sluice_mail_user
EMAIL_HOST_PASSWORD = ENVIRONMENT.sluice_mail_password.get_secret_value()
EMAIL_USE_TLS = ENVIRONMENT.sluice_mail_tls == "starttls"
EMAIL_USE_SSL = ENVIRONMENT.sluice_mail_tls == "implicit"
#: Seconds for each step of the dialogue; gateway.notify.smtp bounds the whole.
EMAIL_TIMEOUT = 10

# -- transport and browser ---------------------------------------------------------------------------------------------

_SECURE = ISSUER.startswith("https://")
SESSION_ENGINE = "gateway.identity.session_store"
# A name of its own: cookies ignore ports, and the pretend bank lives on the same host.
SESSION_COOKIE_NAME = "__Host-sluice_session" if _SECURE else "sluice_session"
SESSION_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "__Host-sluice_csrf" if _SECURE else "sluice_csrf"
CSRF_COOKIE_SECURE = _SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [ISSUER]
CSRF_FAILURE_VIEW = "gateway.portal.errors.csrf_failure"
SECURE_SSL_REDIRECT = _SECURE
# Health checks and Prometheus ask the process itself, past the proxy that does TLS.
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _SECURE
SECURE_HSTS_PRELOAD = _SECURE
# Not no-referrer: Chromium then posts our own forms with `Origin: null`, and the CSRF check refuses them.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
FILE_UPLOAD_HANDLERS = ["gateway.uploads.NoUploads"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.sluice_static_directory or DATA_DIRECTORY / "static"
if ENVIRONMENT.sluice_static_directory is None:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "gateway" / "static"]
WHITENOISE_USE_FINDERS = EMBEDDED

# -- OAuth: the toolkit is store and engine; its views are not mounted -------------------------------------------------

for _setting, _model in {
    "APPLICATION": "Platform",
    "GRANT": "Grant",
    "ACCESS_TOKEN": "AccessToken",
    "REFRESH_TOKEN": "RefreshToken",
    "ID_TOKEN": "IDToken",
    "DEVICE_GRANT": "DeviceGrant",
}.items():
    globals()[f"OAUTH2_PROVIDER_{_setting}_MODEL"] = f"consents.{_model}"

# It has no table of its own, and its history of other people's tables would take most of the time of a first start.
MIGRATION_MODULES = {"oauth2_provider": None}

OAUTH2_PROVIDER: dict[str, Any] = {
    "OAUTH2_VALIDATOR_CLASS": "gateway.oauth.validator.Validator",
    "OIDC_ISS_ENDPOINT": ISSUER,
    "DEFAULT_SCOPES": [],
    "SCOPES_BACKEND_CLASS": "gateway.oauth.scopes.ConsentScopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ROTATE_REFRESH_TOKEN": False,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"] if EMBEDDED else ["https"],
    "ALLOW_URI_WILDCARDS": False,
    **{
        f"COMPLIANT_BCP_RFC9700_{gate}": True
        for gate in (
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REDIRECT_URI_MATCHING",
            "PKCE_REQUIRED",
        )
    },
    # An error check, which http redirect URIs of sandbox platforms on loopback could not pass.
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": not EMBEDDED,
}

# -- how many requests a minute (gateway/oauth/limits.py) --------------------------------------------------------------

REDIS_URL = ENVIRONMENT.redis_url
METRICS_TOKEN = ENVIRONMENT.sluice_metrics_token.get_secret_value()
CALLS_PER_MINUTE = {
    "platform": ENVIRONMENT.sluice_platform_calls_per_minute,
    "user": ENVIRONMENT.sluice_user_calls_per_minute,
    "token": ENVIRONMENT.sluice_token_calls_per_minute,
    "failed": ENVIRONMENT.sluice_failed_calls_per_minute,
}

# -- API ---------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gateway.api.authentication.ConsentTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["gateway.api.authentication.HasConsentToken"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "gateway.problem_answers.handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Sluice platform API",
    "DESCRIPTION": "Balances and transactions, exactly as far as user, bank and operator allow.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/v1",
    "ENUM_NAME_OVERRIDES": {
        "RefreshStatusEnum": "banks.refresh_status.RefreshStatus",
        "ConsentStatusEnum": "consents.states.ConsentStatus",
        "InitiatorEnum": "consents.states.Initiator",
    },
    "PREPROCESSING_HOOKS": ["gateway.api.schema.platform_api_only"],
}

# -- logs: ids and codes, one JSON object a line -----------------------------------------------------------------------

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "gateway.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "lines"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # At debug these two print codes, refresh tokens and whole token dicts.
        "oauthlib": {"level": "WARNING"},
        "oauth2_provider": {"level": "WARNING"},
        "fido2": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "requests": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        # A line for every tick otherwise; what a job came to is told by banks.leases.
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
    },
}

SILENCED_SYSTEM_CHECKS = [
    # It asks for replay detection of rotated refresh tokens. Ours do not rotate, because clients authenticate and
    # rotation loses tokens in races (FAPI 2.0 section 5.3.2.1; RFC 9700 section 4.14.2 allows it).
    "oauth2_provider.W007",
]
