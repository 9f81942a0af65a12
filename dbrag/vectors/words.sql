-- name: terms
-- The words of a question (those that count), and in how many chunks of the collection each stands, as far as `cap`; the
-- rarest first; of a question that is a whole passage its longest words, which are the rarer ones. Last, roughly how many chunks there are.
SELECT w.lexeme, least(f.chunks, %(cap)s), n.chunks
FROM (
    SELECT lexeme FROM unnest(tsvector_to_array(to_tsvector(%(language)s::regconfig, %(query)s))) AS l (lexeme)
    ORDER BY length(lexeme) DESC, lexeme LIMIT %(most)s
) w,
LATERAL (
    SELECT count(*) AS chunks FROM (
        SELECT FROM chunks c
        WHERE c.words @@ (('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''')::tsquery
                          && %(own)s::tsquery)
        LIMIT %(cap)s + 1) seen
) f, (
    SELECT coalesce(sum(rows), 0) + %(fresh)s AS chunks FROM segments
    WHERE generation_id = %(generation_id)s AND status IN ('sealed', 'indexed')
) n
ORDER BY f.chunks, w.lexeme

-- name: words_in_text
-- Which of these words a text has, in their order.
SELECT array_agg(x.words @@ t.term::tsquery ORDER BY t.place)
FROM unnest(%(terms)s::text[]) WITH ORDINALITY AS t (term, place),
     (SELECT to_tsvector(%(language)s::regconfig, %(text)s) AS words) x

-- name: search_words
-- Chunks that hold one of the rare words (`sought`), best first: the sum over all words of the question of how rare one
-- is in the collection times how often it stands in the chunk, which counts less the more there are and the longer the
-- chunk is (ts_rank for a single word): what BM25 does, without its constants. `words` is unpacked once a chunk, not
-- once a word.
WITH terms AS MATERIALIZED (
    SELECT t.term::tsquery AS term, t.weight
    FROM unnest(%(terms)s::text[], %(weights)s::float8[]) AS t (term, weight)
), candidates AS MATERIALIZED (
    SELECT c.id, c.version_id, c.words FROM chunks c JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
    WHERE c.words @@ (%(sought)s::tsquery && %(own)s::tsquery) AND c.collection_id = %(collection_id)s
      AND (%(filter)s::jsonb IS NULL OR v.metadata @> %(filter)s::jsonb)
    LIMIT %(candidates)s
), best AS MATERIALIZED (
    SELECT k.id, k.version_id, s.score
    FROM candidates k, LATERAL (SELECT k.words || ''::tsvector AS words OFFSET 0) u,
    LATERAL (SELECT sum(t.weight * ts_rank('{1,1,1,1}', u.words, t.term, 1)) AS score FROM terms t) s
    ORDER BY s.score DESC, k.id LIMIT %(limit)s
)
SELECT d.external_id, c.id AS chunk_id, c.text, c.start_offset AS start, c.end_offset AS "end", b.score, v.metadata, c.page,
       coalesce(c.headings, '{}') AS headings, ts_headline(%(language)s::regconfig, c.text, %(question)s::tsquery, %(marks)s) AS marked
FROM best b
JOIN chunks c ON c.id = b.id
JOIN document_versions v ON v.id = b.version_id
JOIN documents d ON d.id = v.document_id
ORDER BY b.score DESC, b.id
