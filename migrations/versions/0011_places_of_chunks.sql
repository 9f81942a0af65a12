-- Where in its document a chunk begins: its page (of a PDF, or a slide), and the headings above it, the outermost first.
-- Both are unknown for chunks of before; what is sent again gets them. The release before leaves them out.
-- NOT VALID, so that nobody waits while all chunks are looked at.
ALTER TABLE chunks
    ADD COLUMN page integer,
    ADD COLUMN headings text[],
    ADD CONSTRAINT chunks_page CHECK (page > 0) NOT VALID;
