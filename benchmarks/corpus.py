"""The benchmark's documents: generated, the same for the same seed, each different from every other."""

from collections.abc import Iterator, Sequence
from random import Random

SMALL_WORDS = """
the of and to in a is it you that he was for on are as with his they at be this from or had by not but what all were we
when can an your which she do how if will up about out many then them so some her would like him into has two more no
way could my than been who its now find long down did get come may over new only take little work know place me back
"""

WORDS = """
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

ONE_CHUNK_WORDS = range(330, 355)
"""With full stops and line ends some 375 tokens: one chunk of at most 400."""

TWO_CHUNKS_WORDS = range(540, 600)
"""Some 620 tokens: two chunks, 40 of their tokens shared."""


def documents(count: int, seed: int = 1) -> Iterator[dict[str, str]]:
    """`count` documents as the batch endpoint takes them; three in ten are long enough for two chunks."""
    random = Random(seed)
    small, other = SMALL_WORDS.split(), WORDS.split()
    for i in range(count):
        words = random.choice(TWO_CHUNKS_WORDS if i % 10 < 3 else ONE_CHUNK_WORDS)
        yield {"external_id": f"document-{i:06}", "title": f"Document {i}", "text": _text(random, small, other, words)}


def _text(random: Random, small: Sequence[str], other: Sequence[str], words: int) -> str:
    """Sentences of twelve words, paragraphs of four sentences."""
    # Two small words to one other: 4.6 bytes a token, much as in English prose.
    chosen = [random.choice(other if i % 3 == 2 else small) for i in range(words)]
    sentences = [" ".join(chosen[i : i + 12]).capitalize() + "." for i in range(0, words, 12)]
    return "\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))
