"""Whether the right tables are found, and whether questions are sent to the right side."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from benchmarks.calibration import brier, calibration_error, fit
from benchmarks.catalog_questions import SHOPS, Question, Shop
from benchmarks.client import Client
from benchmarks.figures import percentile
from dbrag.accounts import keys
from dbrag.catalog.calibrate import TYPICAL_COVERAGE, Curve, Evidence
from dbrag.catalog.route import Scores, Target, compare, verdict
from dbrag.runtime import Runtime

MODES = ("vector", "text", "hybrid")
PLACES = (1, 3, 5)
ANSWERS_KEPT_S = 1
"""DBRAG_ANSWER_CACHE_TTL_S of the stack: what is timed is asked anew, with its vector known."""


@dataclass
class Hits:
    """The share of questions with an answer among the first 1, 3 and 5 tables."""

    shop: str
    mode: str
    at: dict[int, float]
    p50_ms: float
    p95_ms: float


@dataclass
class Routing:
    """Right verdicts, of all questions and of those that have an answer; how true the probabilities are."""

    run: str
    right: float
    right_answered: float
    brier: float
    calibration_error: float
    p50_ms: float = 0.0
    p95_ms: float = 0.0


class Judged(NamedTuple):
    """A question with the evidence of both sides."""

    question: Question
    documents: Evidence
    tables: Evidence


class Fit(NamedTuple):
    """What is written into dbrag/catalog/calibrate.py."""

    documents: Curve
    tables: Curve

    def scores(self, judged: Judged) -> Scores:
        """What they make of the evidence."""
        return Scores(
            self.documents.probability(judged.documents, judged.tables),
            self.tables.probability(judged.tables, judged.documents),
        )


def hits(client: Client, shop: Shop, mode: str) -> Hits:
    """Asks the catalog of one database."""
    places, times_ms = list[int](), list[float]()
    for text, tables in shop.tables.items():
        body = {"query": text, "connections": [shop.name], "mode": mode}
        client.ask("/v1/catalog/search", limit=1, **body)  # the query's vector
        began = time.perf_counter()
        found = client.ask("/v1/catalog/search", limit=10, **body)["data"]
        times_ms.append((time.perf_counter() - began) * 1000)
        names = [f"{hit['schema']}.{hit['table']}" for hit in found]
        places.append(next((place for place, name in enumerate(names, 1) if name in tables), 99))
    at = {first: sum(place <= first for place in places) / len(places) for first in PLACES}
    return Hits(shop.name, mode, at, percentile(times_ms, 50), percentile(times_ms, 95))


def routing(client: Client, shop: Shop) -> Routing:
    """Asks for the route of each question twice: the second time, when no answer is kept any more, is timed."""
    questions, times_ms, scores = shop.questions, list[float](), list[Scores]()
    wishes = [
        {"query": one.text, "connections": [shop.name], "collections": shop.collections, "limit": 3}
        for one in questions
    ]
    for wish in wishes:
        client.ask("/v1/route", **wish)
    time.sleep(ANSWERS_KEPT_S + 0.1)
    for wish in wishes:
        began = time.perf_counter()
        answer = client.ask("/v1/route", **wish)
        times_ms.append((time.perf_counter() - began) * 1000)
        scores.append(Scores(**answer["scores"]))
    result = judge(f"{shop.name}, over HTTP", questions, scores)
    result.p50_ms, result.p95_ms = percentile(times_ms, 50), percentile(times_ms, 95)
    return result


def judge(run: str, questions: Sequence[Question], scores: Sequence[Scores]) -> Routing:
    """Compares what was said with what is so."""
    right = [verdict(said) is wanted(one) for one, said in zip(questions, scores, strict=True)]
    answered = [is_right for one, is_right in zip(questions, right, strict=True) if wanted(one) is not Target.NONE]
    said = [p for one in scores for p in (one.documents, one.tables)]
    so = [label for one in questions for label in (one.by_documents, one.by_tables)]
    return Routing(
        run, sum(right) / len(right), sum(answered) / len(answered), brier(said, so), calibration_error(said, so)
    )


def wanted(question: Question) -> Target:
    """The right verdict."""
    if question.by_documents and question.by_tables:
        return Target.BOTH
    if question.by_documents:
        return Target.DOCUMENTS
    return Target.TABLES if question.by_tables else Target.NONE


def evidence(runtime: Runtime, api_key: str, shop: Shop) -> Iterator[Judged]:
    """What the route has to go by, for each question."""
    with runtime.pool.connection() as conn:
        tenant_id = keys.authenticate(conn, api_key).tenant_id
    for question in shop.questions:
        sides = compare(runtime, tenant_id, question.text, [shop.name], shop.collections)
        assert sides.documents
        assert sides.tables
        yield Judged(question, sides.documents.evidence, sides.tables.evidence)


def fitted(judged: Sequence[Judged]) -> Fit:
    """The curves that suit these questions best."""
    documents = [_features(one.documents, one.tables) for one in judged]
    tables = [_features(one.tables, one.documents) for one in judged]
    return Fit(
        Curve(*fit(documents, [one.question.by_documents for one in judged])),
        Curve(*fit(tables, [one.question.by_tables for one in judged])),
    )


def absent(judged: Sequence[Judged]) -> tuple[float, float]:
    """The similarity of documents that do not answer, and of such tables, on average: assumed of an absent side."""
    return (
        fmean(one.documents.similarity for one in judged if not one.question.by_documents),
        fmean(one.tables.similarity for one in judged if not one.question.by_tables),
    )


def crosswise(of: Sequence[Sequence[Judged]]) -> list[Routing]:
    """Fitted to the questions of one database, asked those of the other."""
    return [
        judge(f"fitted to {SHOPS[i].name}, asked {SHOPS[1 - i].name}", *_said(fitted(of[i]), of[1 - i])) for i in (0, 1)
    ]


def _said(curves: Fit, judged: Sequence[Judged]) -> tuple[list[Question], list[Scores]]:
    return [one.question for one in judged], [curves.scores(one) for one in judged]


def _features(own: Evidence, other: Evidence) -> list[float]:
    return [own.similarity, other.similarity, TYPICAL_COVERAGE if own.coverage is None else own.coverage]
