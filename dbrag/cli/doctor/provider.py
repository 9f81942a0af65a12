"""Examines the embedding provider with one tiny request, which costs a token."""

from dbrag.cli.doctor.model import Finding, ok, wrong
from dbrag.embedding.provider import Provider
from dbrag.errors import DbragError
from dbrag.settings import Settings

# Few enough for every model that can be shortened, and what the embedded stack's model has.
FEW_DIMENSIONS = 256


def check_provider(settings: Settings) -> Finding:
    name = settings.default_model
    model = settings.models.get(name)
    if model is None:
        remedy = f"Choose one of {', '.join(settings.models)}, or describe it in DBRAG_MODELS."
        return wrong(f"DBRAG_DEFAULT_MODEL is {name}, which is not known", remedy)
    provider = Provider(settings)
    try:
        answer = provider.embed(["ok"], name, FEW_DIMENSIONS if model.shortens else model.dimensions)
    except DbragError as exc:
        return wrong(exc.detail, "Check OPENAI_API_KEY, OPENAI_BASE_URL and the network.")
    finally:
        provider.close()
    return ok(
        f"{name} answers with {answer.vectors.shape[1]} dimensions; this check cost {answer.prompt_tokens} token(s)"
    )
