"""A stand-in for OpenAI's embeddings and chats: a real HTTP server that behaves, and misbehaves, like it."""

from tests.provider.process import ProviderServer
from tests.provider.vectors import vector_of

__all__ = ["ProviderServer", "vector_of"]
