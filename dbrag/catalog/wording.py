"""Stand-in while part C is written."""

from dbrag.catalog.model import Description, Table


def embedded_text(table: Table, description: Description) -> str:
    return f"{table.full_name}: {description.purpose} ({', '.join(c.name for c in table.columns)})"
