"""PostgreSQL: connections, named queries, errors and the release step."""
