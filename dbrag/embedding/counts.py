"""What Prometheus is told of requests to the embedding provider."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "dbrag_provider_requests", "Requests to the embedding provider, by how they ended.", ["model", "outcome"]
)
SECONDS = Histogram(
    "dbrag_provider_request_seconds",
    "Time of a request, however it ended.",
    ["model"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
# A request takes 2,048 texts and 300,000 tokens at most: how full they are is seen in the buckets.
INPUTS = Histogram(
    "dbrag_provider_request_inputs",
    "Texts in a request that was answered.",
    ["model"],
    buckets=(1, 8, 32, 128, 256, 512, 1024, 1536, 2048),
)
TOKENS = Histogram(
    "dbrag_provider_request_tokens",
    "Tokens of such a request, as billed.",
    ["model"],
    buckets=(10, 100, 1000, 10_000, 50_000, 100_000, 200_000, 300_000),
)
COST = Counter("dbrag_provider_cost_usd", "What they cost, in US dollars, as far as prices are known.", ["model"])


def count_failed(model: str, code: str, seconds: float) -> None:
    """Notes a request that failed with an error of this code."""
    REQUESTS.labels(model, code).inc()
    SECONDS.labels(model).observe(seconds)


def count_answered(model: str, seconds: float, *, inputs: int, tokens: int, cost_usd: float) -> None:
    """Notes a request that was answered."""
    REQUESTS.labels(model, "answered").inc()
    SECONDS.labels(model).observe(seconds)
    INPUTS.labels(model).observe(inputs)
    TOKENS.labels(model).observe(tokens)
    COST.labels(model).inc(cost_usd)
