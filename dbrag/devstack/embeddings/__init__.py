"""A local embedding provider: a small real model behind OpenAI's `POST /v1/embeddings`."""
