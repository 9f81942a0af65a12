"""Every setting: its environment variable, default, unit and meaning; docs/settings.md is made from this file."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict


class Model(BaseModel):
    """What an embedding model promises.

    `dimensions` is its native vector length, `shortens` whether the provider may be asked for fewer, and
    `usd_per_million_tokens` its price (defaults: OpenAI's price list as of November 2026).
    """

    dimensions: int = Field(gt=0)
    shortens: bool = False
    usd_per_million_tokens: float = 0.0
    max_tokens: int = 8192


OPENAI_MODELS = {
    "text-embedding-3-small": Model(dimensions=1536, shortens=True, usd_per_million_tokens=0.02),
    "text-embedding-3-large": Model(dimensions=3072, shortens=True, usd_per_million_tokens=0.13),
    "text-embedding-ada-002": Model(dimensions=1536, usd_per_million_tokens=0.10),
}


OWN = "own"
"""The word in `connections_allow` that allows dbrag's own servers."""


_LIMIT = r"[1-9]\d*/(?:[1-9]\d* )?(?:second|minute|hour|day)"
RATE_LIMIT = re.compile(rf"{_LIMIT}(?:;{_LIMIT})*")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::\d+)?|https?://\[[0-9a-f:]+\](?::\d+)?")
MIN_SECRET_BYTES = 32
"""As long as the hash of HS256: RFC 7518, section 3.2."""


class Settings(BaseSettings):
    """The settings of a process: read from the environment once, at its entry point, and handed on from there.

    Names that the ecosystem already has are kept; ours start with DBRAG_. What the environment does not name is read
    from a file of that name in `secrets_dir`, where containers get their secrets.
    """

    model_config = SettingsConfigDict(
        env_prefix="DBRAG_",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # an error would print the values, and some are passwords
        secrets_dir="/run/secrets",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Without files where there is no such folder: pydantic-settings would warn outside of containers."""
        assert isinstance(file_secret_settings, SecretsSettingsSource)
        folder = file_secret_settings.secrets_dir
        files = (file_secret_settings,) if isinstance(folder, str | Path) and Path(folder).is_dir() else ()
        return init_settings, env_settings, *files

    database_url: SecretStr = Field(
        validation_alias="DATABASE_URL",
        description="PostgreSQL with pgvector >= 0.8, as a libpq URI.",
    )
    celery_broker_url: SecretStr = Field(
        validation_alias="CELERY_BROKER_URL",
        description="Redis for the queues; run it with `maxmemory-policy noeviction` and an append-only file.",
    )
    cache_url: SecretStr | None = Field(
        None,
        validation_alias="CACHE_URL",
        description="Redis for cached vectors, not the broker's (`allkeys-lru`), and for the provider's limits, which "
        "all processes share; without it nothing is cached, and each keeps to a tenth of the limits.",
    )
    openai_api_key: SecretStr = Field(
        SecretStr("none"), validation_alias="OPENAI_API_KEY", description="Key of the embedding provider."
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias="OPENAI_BASE_URL",
        description="Base URL of an OpenAI-compatible provider; unset means OpenAI itself.",
    )

    default_model: str = Field("text-embedding-3-small", description="Model of a collection that names none.")
    models: dict[str, Model] = Field(
        default_factory=lambda: dict(OPENAI_MODELS),
        description="Known embedding models and their prices, as JSON; added to OpenAI's own.",
    )
    max_tokens: int = Field(400, ge=16, le=8192, description="Tokens in a chunk at most, unless the collection says.")
    overlap_tokens: int = Field(40, ge=0, description="Tokens that neighbours share, unless the collection says.")

    language: str = Field(
        "english",
        description="Language in which the words of a collection's texts are looked up, unless the collection says: "
        "one of PostgreSQL's, `simple` for any, `none` for no full text.",
    )

    request_inputs: int = Field(2048, ge=1, le=2048, description="Texts in one request to the provider at most.")
    request_tokens: int = Field(
        300_000, ge=8192, le=300_000, description="Tokens in one request to the provider at most."
    )
    requests_per_minute: int | None = Field(
        None,
        ge=1,
        description="Requests a minute for each embedding model, until the provider's answers say its limit; unset "
        "means no limit until then.",
    )
    tokens_per_minute: int | None = Field(None, ge=1, description="Tokens a minute, likewise.")
    cache_ttl_s: int = Field(30 * 86_400, gt=0, description="How long a vector stays in the cache, in seconds.")

    lease_s: int = Field(
        60,
        ge=5,
        description="How long a worker may keep a claim without a sign of life, in seconds: the time after which the "
        "work of a killed worker is done by another. Time limits of tasks and requests are derived from it.",
    )
    max_attempts: int = Field(
        5, ge=1, description="Tries before a job that keeps failing for a passing reason fails for good."
    )
    relay_interval_s: float = Field(1.0, gt=0, description="Pause between two passes of the relay, in seconds.")
    publish_again_s: float = Field(
        10.0, gt=0, description="Age at which a lost message is published again, in seconds; doubles each time."
    )

    queue_window: int = Field(
        100,
        ge=1,
        description="Jobs of one queue in the broker at most; what more waits, waits in PostgreSQL, where tenants take "
        "turns.",
    )
    relay_metrics: str | None = Field(
        None,
        description="Where a relay serves its metrics over HTTP, without a password: `port` (on loopback) or "
        "`host:port`; unset means nowhere.",
    )
    worker_metrics: str | None = Field(
        None,
        description="Where a worker serves its metrics, likewise; each worker on a host needs a port of its own.",
    )

    segment_rows: int = Field(
        2_500, ge=100, description="Rows at which a fresh segment is sealed and gets its HNSW index."
    )
    segment_age_s: int = Field(
        3600, ge=1, description="Age at which a fresh segment is sealed however small it is, in seconds."
    )
    segment_rows_at_most: int = Field(
        500_000, ge=1000, description="Rows of the largest segment that merging makes; its graph should fit in memory."
    )
    dead_rows_share: float = Field(
        0.2, gt=0, lt=1, description="Share of rows that are gone at which a segment is rewritten."
    )
    unindexed_rows: int = Field(
        50_000,
        ge=1000,
        description="Rows of a collection that may wait for their index, each 1,000 of which cost a search some "
        "0.85 ms; beyond that embedding waits (`held: indexing`).",
    )
    maintenance_work_mem_mb: int = Field(512, ge=64, description="Memory for building one index, in MiB.")
    index_build_workers: int = Field(1, ge=0, description="PostgreSQL's parallel workers for building one index.")
    recall_floor: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Recall@10 that an index must have: below it a probe warns, and a new generation does not serve.",
    )
    recall_samples: int = Field(
        50, ge=1, le=1000, description="Stored vectors that one probe of the recall searches for."
    )
    keep_generation_s: int = Field(
        86_400, ge=0, description="How long a generation that was replaced can be rolled back to, in seconds."
    )
    answer_cache_ttl_s: int = Field(300, gt=0, description="How long the answer to a search is kept, in seconds.")

    embed_threads: int = Field(
        4,
        ge=1,
        le=64,
        description="Requests that one child of a worker has in flight at most; each takes a connection.",
    )

    extract_memory_mb: int = Field(1024, ge=256, description="Memory of the extractor's process at most, in MiB.")

    encryption_keys: SecretStr | None = Field(
        None,
        description="Fernet keys for the DSNs of connections, separated by commas: the first encrypts, all decrypt "
        "(`dbrag catalog new-key` makes one); unset means no connections.",
    )
    connections_allow: list[str] = Field(
        default_factory=list[str],
        description="Which addresses connections may reach though they are loopback, link-local or a cloud's metadata "
        "service, as JSON: networks such as `127.0.0.0/8`; `own` allows dbrag's own database and Redis servers, too.",
    )
    source_timeout_s: float = Field(
        5.0, gt=0, description="A statement in a registered database takes so long at most, in seconds."
    )
    chat_model: str | None = Field(
        None, description="Chat model that describes tables; unset: descriptions are composed from names and comments."
    )
    chat_usd_per_million_tokens: tuple[float, float] = Field(
        (0.0, 0.0), description="Its price for prompts and for answers, as JSON, such as `[0.15, 0.6]`."
    )
    chat_threads: int = Field(8, ge=1, le=64, description="Requests to it that one child of a worker has in flight.")
    catalog_cache_ttl_s: int = Field(3600, gt=0, description="How long a catalog entry stays in the cache, in seconds.")

    jwt_secret: SecretStr | None = Field(
        None,
        description="Secret of 32 bytes or more that signs JWTs (HS256), which are taken beside API keys; unset, like "
        "`DBRAG_JWT_JWKS_FILE`: no JWTs.",
    )
    jwt_jwks_file: Path | None = Field(
        None,
        description="JWKS file with the public keys of JWTs (RS256, ES256 and longer), instead of a secret; read again "
        "when it changes.",
    )
    jwt_issuer: str | None = Field(None, description="The `iss` that JWTs must have; unset: any.")
    jwt_audience: str | None = Field(
        None, description="The `aud` that JWTs must have; unset: those that have one are refused."
    )
    rate_limit: str | None = Field(
        None,
        description="Requests that one API key, or one JWT's tenant and subject, may send: `600/minute`, or several "
        "such as `20/second;600/minute` (`second`, `minute`, `hour`, `day`; `100/5 minute`); unset means no limit. "
        "Needs `CACHE_URL`, where they are counted.",
    )
    cors_origins: list[str] = Field(
        default_factory=list[str],
        description="Origins whose pages may call the API from a browser, as JSON, such as "
        '`["https://app.example.com"]`.',
    )

    max_body_mb: int = Field(64, ge=1, description="Size of a request's body at most, unpacked too, in MiB.")
    receive_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Seconds in which a request's headers have to come, and again its body; 64 KiB give one more.",
    )
    max_item_mb: int = Field(10, ge=1, description="Size of one document at most, in MiB.")

    waiting_jobs: int = Field(
        1_000_000, ge=1, description="Jobs that may wait, of all tenants; beyond that nothing more is accepted (503)."
    )
    waiting_jobs_of_a_tenant: int = Field(200_000, ge=1, description="Jobs of one tenant that may wait (429).")
    waiting_mb: int = Field(
        20_000, ge=1, description="What may wait to be done, of all tenants, in MiB as submitted (503)."
    )
    waiting_mb_of_a_tenant: int = Field(
        5_000, ge=1, description="What may wait of one tenant, in MiB as submitted (429)."
    )

    heartbeat_file: str | None = Field(
        None,
        description="File that a worker or beat touches as long as it is alive, for `python -m workers.alive`; unset "
        "means none.",
    )
    log_level: str = Field("INFO", description="Least severe level that is logged.")
    log_format: str = Field("json", pattern="^(json|console)$", description="`json`, or `console` for people.")

    def model_max_tokens(self, model: str) -> int:
        """The longest text that a model takes, in tokens; OpenAI's limit where the model is not known."""
        known = self.models.get(model)
        return known.max_tokens if known else 8192

    def price_usd(self, model: str, tokens: int) -> float:
        """What so many tokens cost; 0 where the model is not known."""
        known = self.models.get(model)
        return known.usd_per_million_tokens * tokens / 1e6 if known else 0.0

    @property
    def relay_metrics_address(self) -> tuple[str, int] | None:
        """Host and port of the relay's metrics; on loopback unless the operator names another host.

        Raises: ValueError.
        """
        return _address("DBRAG_RELAY_METRICS", self.relay_metrics)

    @property
    def worker_metrics_address(self) -> tuple[str, int] | None:
        """Host and port of a worker's metrics, likewise.

        Raises: ValueError.
        """
        return _address("DBRAG_WORKER_METRICS", self.worker_metrics)

    @property
    def allowed_networks(self) -> list[IPv4Network | IPv6Network]:
        """The networks among `connections_allow`.

        Raises: ValueError.
        """
        try:
            return [ip_network(word) for word in self.connections_allow if word != OWN]
        except ValueError as exc:
            raise ValueError(f"DBRAG_CONNECTIONS_ALLOW must hold networks such as 127.0.0.0/8, or own: {exc}") from exc

    @property
    def task_time_limit_s(self) -> float:
        """Seconds after which Celery kills a task: inside the lease, so a claim never outlives its worker unseen."""
        return self.lease_s * 0.9

    @property
    def task_soft_time_limit_s(self) -> float:
        """Seconds after which a task is asked to stop."""
        return self.lease_s * 0.8

    @property
    def provider_timeout_s(self) -> float:
        """Seconds for one request to the provider, so that its answer can still be written inside the lease."""
        return self.lease_s * 0.5

    @property
    def extract_timeout_s(self) -> float:
        """Seconds for extracting the text of one document; the extractor's process is killed then."""
        return self.lease_s * 0.5

    @property
    def visibility_timeout_s(self) -> float:
        """Seconds after which Redis delivers an unacknowledged message again: beyond the lease."""
        return self.lease_s * 1.5

    @model_validator(mode="after")
    def _overlap_fits_the_chunk(self) -> Self:
        if self.overlap_tokens >= self.max_tokens:
            raise ValueError("DBRAG_OVERLAP_TOKENS must be smaller than DBRAG_MAX_TOKENS")
        return self

    @model_validator(mode="after")
    def _metrics_have_addresses(self) -> Self:
        _ = self.relay_metrics_address, self.worker_metrics_address
        return self

    @model_validator(mode="after")
    def _allowed_networks_are_networks(self) -> Self:
        _ = self.allowed_networks
        return self

    @model_validator(mode="after")
    def _jwts_have_one_kind_of_key(self) -> Self:
        if self.jwt_secret is None:
            return self
        if self.jwt_jwks_file is not None:
            raise ValueError("set DBRAG_JWT_SECRET or DBRAG_JWT_JWKS_FILE, not both: a JWT is checked in one way")
        if len(self.jwt_secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"DBRAG_JWT_SECRET must have {MIN_SECRET_BYTES} bytes at least, or it can be guessed from a JWT: make "
                "one with `openssl rand -base64 48`, and give it to the issuer"
            )
        return self

    @model_validator(mode="after")
    def _requests_can_be_counted(self) -> Self:
        if self.rate_limit is None:
            return self
        if not RATE_LIMIT.fullmatch(self.rate_limit):
            raise ValueError(
                f"DBRAG_RATE_LIMIT must be like 600/minute or 20/second;600/minute, not {self.rate_limit!r}"
            )
        if self.cache_url is None:
            raise ValueError("DBRAG_RATE_LIMIT needs CACHE_URL, the Redis where requests are counted")
        return self

    @model_validator(mode="after")
    def _origins_are_origins(self) -> Self:
        for origin in self.cors_origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"DBRAG_CORS_ORIGINS must hold origins as browsers send them, such as https://app.example.com (no "
                    f"path, no *), not {origin!r}"
                )
        return self

    @model_validator(mode="after")
    def _openai_models_stay_known(self) -> Self:
        self.models = OPENAI_MODELS | self.models
        return self


def _address(setting: str, given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    if not (port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError(f"{setting} must be port or host:port, not {given!r}")
    return host.strip("[]") or "127.0.0.1", int(port)
