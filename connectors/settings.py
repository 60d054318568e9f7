"""Settings: one folder, `DESKHAND_HOME`, holds all that an installation knows.

    config.toml    what is safe to show; written by `deskhand init`, edited by the admin
    secrets.toml   tokens and signing secrets, mode 0600
    deskhand.db    the store
    models/        one folder per model version

Environment variables override both files, setting by setting: `DESKHAND_TRAINER__LORA_RANK=8` is `[trainer] lora_rank`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from connectors.errors import ConfigError

PREFIX = "DESKHAND_"
HOME_VARIABLE = "DESKHAND_HOME"

Kind = Literal["zendesk", "freshdesk", "zammad", "request_tracker", "django_helpdesk", "files"]
Auth = Literal["bearer", "api_token", "client_credentials", "authorization_code", "token"]

# How each kind can be signed in to, its default first; where a kind is not named, by a token alone.
_AUTHS: dict[str, tuple[Auth, ...]] = {
    "zendesk": ("bearer", "api_token", "client_credentials", "authorization_code"),
}
# What each credential is made of.
_PARTS: dict[str, tuple[str, ...]] = {
    "bearer": ("token",),
    "api_token": ("email", "token"),
    "client_credentials": ("client_id", "client_secret"),
    # A public client has no secret: PKCE stands in for it.
    "authorization_code": ("client_id",),
    "token": ("token",),
}

GroupMode = Literal["off", "route", "draft"]


def auths_of(kind: str) -> tuple[Auth, ...]:
    """How a kind of helpdesk can be signed in to, its default first."""
    return _AUTHS.get(kind, ("token",))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HelpdeskSettings(_Section):
    """Which helpdesk, and as whom.

    Attributes:
        kind: The vendor, or `files` for exported tickets in a folder.
        name: Key of this helpdesk in the store; lets several share one file. The kind, where it is left out.
        url: Base address, such as `https://acme.zendesk.com`; `files` has none.
        path: For `files`: the folder, see `folder`.
        auth: For Zendesk `bearer` (an OAuth access token, the default), `api_token` (legacy: e-mail and token),
            `client_credentials` (an OAuth client that fetches its own short-lived tokens) or `authorization_code` (an
            agent's consent; the pair of tokens is in `oauth-NAME.json`). For all others `token`: an API key.
        client_secret: For `authorization_code` only where the OAuth client is a confidential one.
        scope: The OAuth scopes to ask for, with blanks between them; empty asks for what Deskhand needs.
        timeout_s: How long the helpdesk may stay silent during one request.
        poll_s: Seconds between two looks of `deskhand watch`.
        min_free_share: Share of the rate limit that is left to people and other integrations.
    """

    # Each field is checked against the ones before it, so the order matters.
    kind: Kind = "zendesk"
    name: str = Field(default="", validate_default=True, pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    url: AnyHttpUrl | None = Field(default=None, validate_default=True)
    path: Path | None = Field(default=None, validate_default=True)
    auth: Auth = Field(default=None, validate_default=True)
    email: str = Field(default="", validate_default=True)
    client_id: str = Field(default="", validate_default=True)
    token: SecretStr = Field(default=SecretStr(""), validate_default=True)
    client_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    scope: str = Field(default="", pattern=r"^([a-z_]+(:[a-z]+)?( [a-z_]+(:[a-z]+)?)*)?$")
    timeout_s: float = Field(default=30.0, gt=0)
    poll_s: float = Field(default=30.0, gt=0)
    min_free_share: float = Field(default=0.1, ge=0, le=0.9)

    # By field and not once for all: a check of the whole would be silent as long as another field is wrong.
    @field_validator("name", mode="before")
    @classmethod
    def _name_is_the_kind(cls, value: object, info: ValidationInfo) -> object:
        # Where the kind is wrong, that is said there; any name will do.
        return value if value != "" else info.data.get("kind", "helpdesk")

    @field_validator("url", "path")
    @classmethod
    def _place_is_given(cls, value: AnyHttpUrl | Path | None, info: ValidationInfo) -> AnyHttpUrl | Path | None:
        kind = info.data.get("kind")
        needed = {"files": "path", None: None}.get(kind, "url")
        if value is None and info.field_name == needed:
            raise ValueError(f"kind = '{kind}' needs a {needed}")
        return value

    @field_validator("auth", mode="before")
    @classmethod
    def _auth_fits_the_kind(cls, value: object, info: ValidationInfo) -> object:
        if "kind" not in info.data:
            return "bearer" if value is None else value
        known = auths_of(info.data["kind"])
        if value is None:
            return known[0]
        if value in _PARTS and value not in known:
            raise ValueError(f"'{value}' is not how {info.data['kind']} is signed in to: {' or '.join(known)}")
        return value

    @field_validator("email", "client_id", "token", "client_secret")
    @classmethod
    def _credential_is_whole(cls, value: str | SecretStr, info: ValidationInfo) -> str | SecretStr:
        auth, name = str(info.data.get("auth")), str(info.field_name)
        needed = () if info.data.get("kind") == "files" else _PARTS.get(auth, ())
        if not value and name in needed:
            raise ValueError(f"auth = '{auth}' needs a {name}" + " in secrets.toml" * isinstance(value, SecretStr))
        if isinstance(value, SecretStr) and not _is_plain(value.get_secret_value()):
            # Such as a line break that was copied along; no header could carry it.
            raise ValueError("holds blanks or characters that no token has: copy it again")
        return value

    @property
    def base_url(self) -> str:
        """The address without a trailing slash; empty for `files`."""
        return str(self.url or "").rstrip("/")

    def folder(self, home: Path) -> Path:
        """The folder of `files`: `path`, which may be absolute or start with `~`, else in the home."""
        return home / (self.path or Path()).expanduser()


class TrainerSettings(_Section):
    """How examples are chosen and the model is trained.

    Attributes:
        base_model: A Hugging Face id, a folder, or `bundled:smollm2-135m-instruct`.
        encoder: The sentence encoder for retrieval and routing, in the same forms.
        lora_layers: How many of the topmost decoder layers get adapters; the layers below stay frozen, run once per
            example and are reused every epoch. 0 means all layers.
        max_prompt_tokens: The prompt is cut to this many tokens, oldest customer text first.
        max_reply_tokens: Longer replies are not learned from; drafts stop here.
        batch_tokens: Tokens per forward pass (examples are bucketed by length, so there is little padding).
        eval_share: Share of the newest examples that is held out, never trained on.
        reply_eval_tickets: How many held-out tickets every reply arm drafts for.
        max_train_tickets: Newest examples to train on; 0 means all.
        stale_questions: How many questions every reply arm is asked before and after an article is edited; 0 for none.
        curve_tickets: Numbers of tickets to train on as well, for the learning curve; each costs a training of its own.
        threads: CPU threads for torch; 0 means all cores.
        router_minutes: The most that tuning the sentence encoder for routing may take; 0 leaves that router out.
        router_precision: Share of right routes, on held-out tickets, from which a group's tickets are routed at all; 0
            routes every ticket, however unsure.
        exclude_tags, exclude_groups, exclude_agents, exclude_tickets: What is not learned from. Groups by name or id,
            agents by e-mail address or id.
        max_group_share: No group has more of the examples than this share, the newest ones; 1 sets no limit, and the
            first 500 of a group are never cut.
        max_similar_replies: So many versions of one macro or standard text are kept, the newest ones.
        agent_weights: Whether examples of agents with better ratings and fewer come-backs weigh more.
    """

    base_model: str = "bundled:smollm2-135m-instruct"
    encoder: str = "bundled:all-minilm-l6-v2"
    lora_rank: int = Field(default=16, ge=1, le=256)
    lora_alpha: int = Field(default=32, ge=1)
    lora_layers: int = Field(default=12, ge=0)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    epochs: int = Field(default=3, ge=1, le=50)
    max_prompt_tokens: int = Field(default=640, ge=128)
    max_reply_tokens: int = Field(default=220, ge=16)
    batch_tokens: int = Field(default=1024, ge=256)
    eval_share: float = Field(default=0.2, gt=0, lt=0.5)
    min_examples: int = Field(default=40, ge=10)
    reply_eval_tickets: int = Field(default=48, ge=4)
    max_train_tickets: int = Field(default=0, ge=0)
    curve_tickets: tuple[int, ...] = ()
    stale_questions: int = Field(default=12, ge=0)
    seed: int = 17
    threads: int = Field(default=0, ge=0)
    router_minutes: float = Field(default=2.0, ge=0)
    router_precision: float = Field(default=0.95, ge=0, lt=1)
    exclude_tags: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    exclude_agents: tuple[str, ...] = ()
    exclude_tickets: tuple[str, ...] = ()
    max_group_share: float = Field(default=0.5, gt=0, le=1)
    max_similar_replies: int = Field(default=20, ge=1)
    agent_weights: bool = True

    @field_validator("exclude_tags", "exclude_groups", "exclude_agents", "exclude_tickets", mode="before")
    @classmethod
    def _ids_may_be_numbers(cls, value: object) -> object:
        return [str(one) if type(one) is int else one for one in value] if isinstance(value, list | tuple) else value


class PluginSettings(_Section):
    """The server that the helpdesk talks to.

    What the worker decides by can be changed while it runs, too: see `plugin.switches`.

    Attributes:
        public_url: How the helpdesk reaches us, such as `https://deskhand.acme.example`.
        webhook_max_age_s: Signatures older than this are refused (replay protection).
        sidebar_token: A token of the API from before there was `deskhand token`. Its hash goes into the store at its
            next use, which is what counts from then on; nothing needs the setting after that.
        api_requests_per_min: For each token of the API, in each web process; 0 sets no limit. A sidebar that waits for
            a draft asks 90 times a minute.
        metrics: Who may read `/metrics`: `token` (a token of the API is needed), `local` (whoever asks from this
            machine, and not through a proxy, needs none) or `off`.
        agent_email: The helpdesk account that Deskhand writes as; its own updates are ignored.
        write_route: Whether the worker sets the group of tickets without one, or only says what it would set.
        intake_groups: Names or ids of groups that new tickets land in: a ticket there counts as one without a group.
        min_route_probability: Below it a group is suggested, not set, whatever the model says. The groups' own
            thresholds, which come from `router_precision`, are mostly stricter; this floor is what holds where a model
            has none, such as one that was trained before there were thresholds.
        max_effort: Drafts of which more than this share of words will probably be changed are not shown; 1 shows all.
        shadow_share: On this share of tickets the draft is made and kept, but shown to nobody, for comparison.
        groups: By group id: `off` (nothing at all), `route` (no drafts) or `draft`, which is what a missing group gets.
        chat_note: Whether chat tickets get notes; without, a chat's drafts are in the sidebar only.
        web_processes: Processes that take requests. With one of these and one worker, both are threads of one process.
        workers: Processes that draft; each loads a model of its own. 0 leaves them to `deskhand work`.
        lease_s: How long after the last sign of life of a worker its ticket may be taken over; a sign comes three times
            as often.
        max_job_s: A ticket that takes longer is taken from its worker, for it must be stuck.
        stop_s: How long the requests and the jobs at hand may take when we are stopped; what is cut off is done again.
        keep_done_days: How long inbox rows that are done with are kept; so long a webhook that comes again is known.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535)
    public_url: AnyHttpUrl | None = None
    threads: int = Field(default=8, ge=1)
    webhook_max_age_s: float = Field(default=300.0, gt=0)
    webhook_secret: SecretStr = SecretStr("")
    sidebar_token: SecretStr = SecretStr("")
    api_requests_per_min: int = Field(default=6000, ge=0)
    metrics: Literal["token", "local", "off"] = "token"
    agent_email: str = ""
    write_note: bool = True
    write_route: bool = True
    intake_groups: tuple[str, ...] = ()
    min_route_probability: float = Field(default=0.4, ge=0, le=1)
    max_effort: float = Field(default=0.95, ge=0, le=1)
    shadow_share: float = Field(default=0.0, ge=0, le=1)
    groups: dict[str, GroupMode] = Field(default_factory=dict)
    chat_note: bool = False
    web_processes: int = Field(default=1, ge=1, le=64)
    workers: int = Field(default=1, ge=0, le=64)
    lease_s: float = Field(default=60.0, ge=1)
    max_job_s: float = Field(default=900.0, gt=0)
    stop_s: float = Field(default=90.0, gt=0)
    # Two days at least: `deskhand watch` looks a day back, and the inbox is how it knows what it has seen.
    keep_done_days: float = Field(default=30.0, ge=2)
    max_body_bytes: int = Field(default=1_000_000, ge=1024)


class Settings(BaseSettings):
    """All settings of one installation. Frozen: a change is a new object, or a restart."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path
    helpdesk: HelpdeskSettings | None = None
    trainer: TrainerSettings = TrainerSettings()
    plugin: PluginSettings = PluginSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the files, which `load_settings` hands in as keyword arguments."""
        return env_settings, init_settings

    @property
    def database_path(self) -> Path:
        """The store's file."""
        return self.home / "deskhand.db"

    @property
    def models_path(self) -> Path:
        """Where the versions live."""
        return self.home / "models"

    @property
    def cache_path(self) -> Path:
        """Converted weights and other things that can be made again."""
        return self.home / "cache"

    def require_helpdesk(self) -> HelpdeskSettings:
        """The helpdesk's settings.

        Raises:
            ConfigError: None is configured yet.
        """
        if self.helpdesk is None:
            raise ConfigError(f"no helpdesk is configured in {self.home}", hint="run: deskhand init")
        return self.helpdesk


def default_home() -> Path:
    """`DESKHAND_HOME`, else `.deskhand` in the current folder."""
    return Path(os.environ.get(HOME_VARIABLE) or ".deskhand").expanduser().resolve()


def load_settings(home: Path | None = None) -> Settings:
    """Reads `config.toml` and `secrets.toml` of a home, then the environment.

    Args:
        home: The folder; None takes `default_home()`. It need not exist: every setting but the helpdesk has a default.

    Raises:
        ConfigError: A file cannot be read, or a setting is unknown or out of range. All problems are in the message.
    """
    home = (home or default_home()).expanduser().resolve()
    merged: dict[str, Any] = {}
    for name in ("config.toml", "secrets.toml"):
        _merge(merged, _read_toml(home / name))
    if "home" in merged:
        raise ConfigError(f"'home' cannot be set in {home}/config.toml", hint=f"set {HOME_VARIABLE} instead")
    problems = [f"  [{name}] there is no such section" for name in _unknown_variables()]
    try:
        settings = Settings(home=home, **merged)
    except ValidationError as error:
        problems = _problems(error) + problems
    except SettingsError as error:
        # Names the section and the source only; a value that is no JSON is not in it.
        problems.append(f"  {error}")
    if problems:
        raise ConfigError(
            f"{len(problems)} problem(s) in the settings of {home}:\n" + "\n".join(problems),
            hint=f"edit {home}/config.toml, or unset the {PREFIX} variable",
        )
    # The environment wins, and DESKHAND_HOME is in it: the folder that was read is the home, whatever it says.
    return settings.model_copy(update={"home": home})


def write_home(home: Path, config: dict[str, Any], secrets: dict[str, Any]) -> None:
    """Writes both files of a home, each atomically; the secrets are readable by the owner only.

    Raises:
        ConfigError: The folder or a file cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(home / "secrets.toml", tomli_w.dumps(secrets))
        _write_private(home / "config.toml", tomli_w.dumps(config))
    except OSError as error:
        raise ConfigError(
            f"cannot write {home}: {error.strerror}", hint="choose another folder by DESKHAND_HOME"
        ) from error


def _write_private(path: Path, text: str) -> None:
    # The mode is set before the first byte: a file that is private a moment later has been readable for a moment.
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="mend the line, or run: deskhand init") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not in UTF-8", hint="save it as UTF-8, or run: deskhand init") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from None


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _problems(error: ValidationError) -> list[str]:
    # Values are left out on purpose: one of them may be a token.
    return [
        f"  [{'.'.join(str(part) for part in item['loc'])}] {item['msg']}" for item in error.errors(include_input=False)
    ]


def _unknown_variables() -> list[str]:
    """Variables that look like ours but name no section, such as `DESKHAND_TRAINR__EPOCHS`."""
    names = [name for name in os.environ if name.upper().startswith(PREFIX) and "__" in name]
    return [name for name in names if name[len(PREFIX) :].split("__")[0].lower() not in Settings.model_fields]


def _is_plain(secret: str) -> bool:
    return secret.isascii() and secret.isprintable() and " " not in secret
