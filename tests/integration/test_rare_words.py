"""Text search where one word of the question is rare and another is in more chunks than are ranked."""

from search_corpus import add_documents

from dbrag.database.pool import Connection
from dbrag.documents.model import Collection
from dbrag.vectors.words import CAP, find_terms, search_words


def test_a_rare_word_comes_first_and_does_not_hide_the_rest(conn: Connection, own_collection: Collection) -> None:
    rare, *common = add_documents(conn, own_collection, [{}] * (CAP + 10))
    with conn.transaction():
        conn.execute("UPDATE chunks SET text = 'the harbour' WHERE id = ANY(%s)", [common])
        conn.execute("UPDATE chunks SET text = 'a lighthouse' WHERE id = %s", [rare])
    counts = {term.lexeme: term.chunks for term in find_terms(conn, own_collection, "lighthouse harbour")}
    assert counts == {"lighthous": 1, "harbour": CAP}
    found = search_words(conn, own_collection, "lighthouse harbour", 5, None)
    assert found[0].chunk_id == rare
    assert len({hit.chunk_id for hit in found}) == 5
    assert all(hit.chunk_id in common for hit in found[1:])
