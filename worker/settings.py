"""
Typed settings by group, read from the environment (prefix `SYNC_`, groups with `__`)
and from a `.env` file. The only module that reads the environment.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import ConfigurationError


class AuroraAuth(StrEnum):
    """How the worker signs in to the community: OAuth tokens, or a session key."""

    OAUTH = "oauth"
    SESSION = "session"


class SalesforceAuth(StrEnum):
    """How the worker signs in to the org; SOAP is the oldest and a fading way."""

    CLIENT_CREDENTIALS = "client_credentials"
    JWT = "jwt"
    PASSWORD = "password"  # noqa: S105 -- the name of a grant, not a password
    SOAP = "soap"


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def remote_url(value: str) -> str:
    """Return `value` without a trailing slash; refuse what must not be a remote."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give a full URL such as https://community.example")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// is accepted on loopback only; use https://")
    if parts.username or parts.password:
        raise ValueError("keep user and password out of the URL (HT_USER, HT_PASSWORD)")
    if parts.query or parts.fragment:
        raise ValueError("give the URL without query and fragment")
    return value.rstrip("/")


RemoteUrl = Annotated[str, AfterValidator(remote_url)]


class SignIn(BaseModel):
    """A group whose way of signing in says which of its settings must be there."""

    @classmethod
    def needed(cls, auth: str) -> tuple[str, ...]:
        """Return the settings that this way of signing in cannot do without."""
        raise NotImplementedError

    @model_validator(mode="wrap")
    @classmethod
    def _name_all_missing(
        cls, data: dict[str, object], handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        # Beside whatever else is wrong: one message names every problem.
        auth = str(data.get("auth") or cls.model_fields["auth"].default)
        missing = [name for name in cls.needed(auth) if not data.get(name)]
        problems = [
            _detail((name,), f"must be set for auth={auth}") for name in missing
        ]
        try:
            made = handler(data)
        except ValidationError as error:
            told = [
                _detail(e["loc"], _text(e["type"], e["msg"])) for e in error.errors()
            ]
            problems = told + problems
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return made


def _detail(location: tuple[int | str, ...], text: str) -> InitErrorDetails:
    # Braces would be taken for a template's.
    plain = text.replace("{", "(").replace("}", ")")
    problem = PydanticCustomError("setting", plain)
    return InitErrorDetails(type=problem, loc=location, input=None)


class AuroraSettings(SignIn):
    """The community: where it is, how to sign in, how politely to ask."""

    base_url: RemoteUrl
    community: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    api_prefix: str = ""
    auth: AuroraAuth = AuroraAuth.OAUTH
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    redirect_uri: str = ""
    username: str = ""
    password: SecretStr = SecretStr("")
    ht_user: str = ""
    ht_password: SecretStr = SecretStr("")
    requests_per_second: float = Field(default=8.0, gt=0)
    page_size: int = Field(default=1000, ge=1, le=1000)
    parallel_reads: int = Field(default=4, ge=1, le=32)
    # Community calls a run may spend on roles and ratings; the rest waits its turn.
    slow_field_calls: int = Field(default=60, ge=0)
    slow_fields: bool = True
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=60)

    @field_validator("api_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        return f"/{value.strip('/')}" if value.strip("/") else ""

    @classmethod
    def needed(cls, auth: str) -> tuple[str, ...]:
        if auth == AuroraAuth.SESSION:
            return ("username", "password")
        return ("client_id", "client_secret", "redirect_uri")


class SalesforceSettings(SignIn):
    """The org: where to sign in, as whom, and how much to send at once."""

    login_url: RemoteUrl
    auth: SalesforceAuth = SalesforceAuth.CLIENT_CREDENTIALS
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    security_token: SecretStr = SecretStr("")
    private_key_file: Path | None = None
    api_version: str = Field(default="62.0", pattern=r"^\d{2}\.0$")
    # From this many rows on, Bulk API 2.0 instead of Collections.
    bulk_from_rows: int = Field(default=2000, ge=1)
    # Rows of one Bulk job: fewer jobs cost fewer calls, smaller ones overlap sooner.
    bulk_job_rows: int = Field(default=50_000, ge=200, le=150_000_000)
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=120)

    @classmethod
    def needed(cls, auth: str) -> tuple[str, ...]:
        return _NEEDED.get(auth, ())


_NEEDED: dict[str, tuple[str, ...]] = {
    SalesforceAuth.CLIENT_CREDENTIALS: ("client_id", "client_secret"),
    SalesforceAuth.PASSWORD: ("client_id", "client_secret", "username", "password"),
    SalesforceAuth.SOAP: ("username", "password"),
    SalesforceAuth.JWT: ("client_id", "username", "private_key_file"),
}


class AdminSettings(BaseModel):
    """The admin endpoint. Bound to loopback unless told otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, le=65535)
    token: SecretStr = SecretStr("")


def _nothing() -> Any:  # noqa: ANN401 -- stands in for a group that is not set at all
    return {}


class Settings(BaseSettings):
    """Everything the worker is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="SYNC_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        hide_input_in_errors=True,
    )

    # Where state, the embedded broker and its socket live.
    home: Path = Path(".aurora-sync")
    database_url: str = ""
    broker_url: str = ""
    # Fernet keys, newest first, separated by commas: the first encrypts, all decrypt.
    secret_key: SecretStr
    log_format: str = Field(default="console", pattern="^(console|json)$")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    # A dead worker's stream is taken over after this long without a heartbeat.
    lease_ttl: timedelta = Field(default=timedelta(seconds=60), ge=timedelta(seconds=3))
    # A run hands over to a fresh task after this, far below the visibility timeout.
    run_slice: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1))
    # The timeline of each record is kept this long.
    events_kept_for: timedelta = timedelta(days=90)
    worker_threads: int = Field(default=8, ge=1, le=64)
    # Empty by default and validated all the same: each missing variable is named.
    aurora: AuroraSettings = Field(default_factory=_nothing, validate_default=True)
    salesforce: SalesforceSettings = Field(
        default_factory=_nothing, validate_default=True
    )
    admin: AdminSettings = AdminSettings()

    @field_validator("secret_key")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        for key in split_keys(value):
            try:
                Fernet(key)
            except ValueError:
                raise ValueError(
                    "give Fernet keys separated by commas; "
                    "`aurora-sync secret-key` prints a new one"
                ) from None
        return value

    @property
    def database(self) -> str:
        """The database URL: the one set, or SQLite in `home`."""
        return self.database_url or f"sqlite:///{self.home.resolve()}/aurora-sync.db"


def split_keys(value: SecretStr) -> list[bytes]:
    keys = [key.strip() for key in value.get_secret_value().split(",")]
    return [key.encode() for key in keys if key] or [b""]


def load_settings() -> Settings:
    """
    Read and check all settings.

    Raises ConfigurationError with every problem at once, each by the name of its
    variable; values are never repeated, for they may be secrets.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError([_problem(e) for e in error.errors()]) from None


def _problem(error: ErrorDetails) -> str:
    name = "SYNC_" + "__".join(str(part).upper() for part in error["loc"])
    return f"{name}: {_text(error['type'], error['msg'])}"


def _text(kind: str, message: str) -> str:
    return "must be set" if kind == "missing" else message.removeprefix("Value error, ")
