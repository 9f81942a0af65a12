"""The metadata catalog: which table of which registered database answers a question."""
