"""The benchmarks' documents: generated, and the same for the same seed.

A is many small documents, B few large ones with as much text, C small ones of which three in ten have the text of
another. All are English-like prose of 4.6 bytes a token.
"""

from collections.abc import Iterator
from random import Random

Document = dict[str, str]
"""`external_id`, `title` and `text`, as the batch endpoint takes them."""

SMALL_WORDS = """
the of and to in a is it you that he was for on are as with his they at be this from or had by not but what all were we
when can an your which she do how if will up about out many then them so some her would like him into has two more no
way could my than been who its now find long down did get come may over new only take little work know place me back
"""

OTHER_WORDS = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend father power hour
game line end member law car city community name president team minute idea body information back parent face others
level office door health person art war history party result change morning reason research girl guy moment air teacher
force education foot boy age policy process music market sense nation plan college interest death experience effect use
class control field development role effort rate heart drug show leader light voice wife police mind price report
decision son view relationship town road arm difference value building action season society tax director position
player record paper space ground form event official matter center couple site project activity star table need court
"""

SMALL, OTHER = SMALL_WORDS.split(), OTHER_WORDS.split()

ONE_CHUNK_WORDS = range(330, 355)
"""With full stops and line ends some 375 tokens: one chunk of at most 400."""

TWO_CHUNKS_WORDS = range(540, 600)
"""Some 620 tokens: two chunks, 40 of their tokens shared."""

CHUNKS_A_LARGE_DOCUMENT = 100
WORDS_A_CHUNK = 288
"""Of a large document, whose chunks end at sentences and share 40 tokens with their neighbours."""

CHUNKS_A_SMALL_DOCUMENT = 1.3
COPIES_IN_TEN = 3


def corpus(name: str, chunks: int, seed: int = 1) -> list[Document]:
    """The documents of corpus A, B or C that make about so many chunks of at most 400 tokens, 40 of them shared."""
    random = Random(f"{name} {seed}")  # no text is in two corpora: what one has paid for, another would not ask for
    if name == "B":
        return list(large_documents(max(1, round(chunks / CHUNKS_A_LARGE_DOCUMENT)), random))
    make = {"A": small_documents, "C": documents_with_copies}[name]
    return list(make(max(1, round(chunks / CHUNKS_A_SMALL_DOCUMENT)), random))


def small_documents(count: int, random: Random) -> Iterator[Document]:
    """Each different from every other; three in ten are long enough for two chunks."""
    for i in range(count):
        yield _document(i, _text(random, random.choice(TWO_CHUNKS_WORDS if i % 10 < 3 else ONE_CHUNK_WORDS)))


def large_documents(count: int, random: Random) -> Iterator[Document]:
    """Each different from every other, of some 100 chunks or 145 KB."""
    for i in range(count):
        yield _document(i, _text(random, CHUNKS_A_LARGE_DOCUMENT * WORDS_A_CHUNK))


def documents_with_copies(count: int, random: Random) -> Iterator[Document]:
    """Small documents; three in ten have exactly the text of an earlier one, under another external_id."""
    originals = small_documents(count, random)
    texts: list[str] = []
    for i in range(count):
        if i % 10 < 10 - COPIES_IN_TEN:
            texts.append(next(originals)["text"])
            yield _document(i, texts[-1])
        else:
            yield _document(i, random.choice(texts))


def batches(documents: list[Document], most: int = 2000, most_bytes: int = 48 << 20) -> Iterator[list[Document]]:
    """The documents in order, in lists that one request to the batch endpoint may carry (2000, and 64 MiB as JSON)."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        size += len(document["text"])
        if batch and (len(batch) == most or size > most_bytes):
            yield batch
            batch, size = [], len(document["text"])
        batch.append(document)
    if batch:
        yield batch


def _document(number: int, text: str) -> Document:
    return {"external_id": f"document-{number:06}", "title": f"Document {number}", "text": text}


def _text(random: Random, words: int) -> str:
    """Sentences of twelve words, paragraphs of four sentences."""
    # Two small words to one other: 4.6 bytes a token, much as in English prose.
    chosen = [random.choice(OTHER if i % 3 == 2 else SMALL) for i in range(words)]
    sentences = [" ".join(chosen[i : i + 12]).capitalize() + "." for i in range(0, words, 12)]
    return "\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))
