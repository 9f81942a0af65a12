"""Vectors: stored in generations and segments, searched, indexed."""
