-- Where in its document a chunk begins: its page (of a PDF, or a slide), and the headings above it, the outermost first.
-- Both are unknown for chunks of before; what is sent again gets them. The release before leaves them out.
ALTER TABLE chunks
    ADD COLUMN page integer CHECK (page > 0),
    ADD COLUMN headings text[];
