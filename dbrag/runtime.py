"""What a process works with: settings, database, cache, models, broker; opened after fork, closed at exit."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dbrag.catalog.cache import EntryCache
from dbrag.catalog.chat import Chat
from dbrag.catalog.kept import KeptAnswers
from dbrag.catalog.strangers import Measure, Model
from dbrag.database.pool import Pool, open_pool
from dbrag.documents.extract import Extractor
from dbrag.embedding.cache import VectorCache
from dbrag.embedding.governor import Governor
from dbrag.embedding.provider import Provider
from dbrag.jobs import wakes
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Queue
from dbrag.jobs.outbox import Publisher
from dbrag.settings import Settings
from dbrag.vectors.answers import AnswerCache


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything but the extractor, which serves one thread, is safe to share between the threads of its process.

    `draining`: the process is about to end; whoever works in steps begins no further one. `measures`: those that
    dbrag/catalog/side.py has taken.
    """

    settings: Settings
    pool: Pool
    cache: VectorCache | None
    governor: Governor
    answers: AnswerCache | None
    entries: EntryCache | None
    provider: Provider
    chat: Chat | None
    descriptions: KeptAnswers | None
    broker: Broker
    publisher: Publisher
    extractor: Extractor
    draining: Callable[[], bool]
    measures: dict[Model, Measure] = field(default_factory=dict[Model, Measure])

    def wake(self, queue: Queue) -> None:
        """Asks for a worker that embeds what is pending, unless one is asked for already."""
        wakes.send(self.pool, self.broker, queue, self.settings)

    def close(self) -> None:
        """Closes all connections, publishing first what was just committed."""
        self.publisher.close()
        self.extractor.close()
        self.broker.close()
        self.provider.close()
        if self.chat:
            self.chat.close()
        if self.descriptions:
            self.descriptions.close()
        self.governor.close()
        if self.cache:
            self.cache.close()
        if self.answers:
            self.answers.close()
        if self.entries:
            self.entries.close()
        self.pool.close()


def open_runtime(settings: Settings, connections: int = 4, draining: Callable[[], bool] = lambda: False) -> Runtime:
    """Opens nothing that waits: servers that are away are noticed when they are asked for something."""
    pool, broker, governor = open_pool(settings, connections), Broker(settings), Governor(settings)
    cache_url = settings.cache_url.get_secret_value() if settings.cache_url else None
    return Runtime(
        settings=settings,
        pool=pool,
        cache=VectorCache(cache_url, settings.cache_ttl_s) if cache_url else None,
        answers=AnswerCache(cache_url, settings.answer_cache_ttl_s) if cache_url else None,
        entries=EntryCache(cache_url, settings.catalog_cache_ttl_s) if cache_url else None,
        governor=governor,
        provider=Provider(settings, governor),
        chat=Chat(settings, governor) if settings.chat_model else None,
        descriptions=KeptAnswers(cache_url, settings.cache_ttl_s) if cache_url and settings.chat_model else None,
        broker=broker,
        publisher=Publisher(pool, broker, settings),
        extractor=Extractor(settings.extract_timeout_s, settings.extract_memory_mb),
        draining=draining,
    )
