"""`dbrag settings`: every setting as a Markdown table, made from the code."""

from typing import Any

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dbrag.settings import Settings


def settings() -> None:
    """Print every environment variable, its default and its meaning, in Markdown (docs/settings.md)."""
    typer.echo(settings_table())


def settings_table() -> str:
    """The table, a row a setting in the order of dbrag/settings.py; defaults of secrets are left out."""
    rows = [
        f"| `{_variable(name, field)}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"{Settings.model_config.get('env_prefix', '')}{name}".upper()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is None or isinstance(default, SecretStr):
        return "—"
    if isinstance(default, dict):
        return ", ".join(f"`{name}`" for name in default)  # pyright: ignore[reportUnknownVariableType] any mapping
    return f"`{default}`"
