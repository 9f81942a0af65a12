"""Exact token counts in cl100k_base, the encoding of OpenAI's embedding models."""

from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_openai._bindings import PyTokenizer


@cache
def _tokenizer() -> "PyTokenizer":
    """The tokenizer, loaded at the first count and kept: 33 MB and 0.02 s.

    Only bpe_openai's compiled module is loaded, from beside its package: importing the package reads three vocabularies
    into Python dicts that are not used to count (another 62 MB and 0.9 s, in every worker).
    """
    package = find_spec("bpe_openai")
    spec = PathFinder.find_spec("_bindings", package and package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ImportError("bpe_openai is not installed, or without its compiled module")
    bindings = module_from_spec(spec)
    spec.loader.exec_module(bindings)
    return bindings.tokenizer_for_encoding("cl100k_base")


def count_tokens(text: str) -> int:
    """How many tokens OpenAI's embedding models see in `text`; the names of special tokens count as plain text."""
    return _tokenizer().count(text)


def count_within(text: str, limit: int) -> int | None:
    """The tokens of `text`, or None as soon as there are more than `limit`: cheap for a text much longer than that."""
    return _tokenizer().count_till_limit(text, limit)
