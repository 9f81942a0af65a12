-- Workers of the release before run beside new ones for a while: what they write gets the default language.

-- In which language the words of a collection's texts are looked up; 'none' where they are not. It stays: the words of
-- what is stored were made with it.
ALTER TABLE collections ADD COLUMN language text NOT NULL DEFAULT 'english';

-- The words of a chunk, and the collection as one more of them: the index serves all tenants, and whoever asks for a
-- common word must not read everybody's. The languages are named one by one since a cast from text is not immutable, and
-- a column of type regconfig would stand in the way of pg_upgrade.
ALTER TABLE chunks ADD COLUMN language text DEFAULT 'english';
ALTER TABLE chunks ADD COLUMN words tsvector GENERATED ALWAYS AS (
    to_tsvector(
        CASE language
            WHEN 'simple' THEN 'pg_catalog.simple'::regconfig
            WHEN 'arabic' THEN 'pg_catalog.arabic'::regconfig
            WHEN 'armenian' THEN 'pg_catalog.armenian'::regconfig
            WHEN 'basque' THEN 'pg_catalog.basque'::regconfig
            WHEN 'catalan' THEN 'pg_catalog.catalan'::regconfig
            WHEN 'danish' THEN 'pg_catalog.danish'::regconfig
            WHEN 'dutch' THEN 'pg_catalog.dutch'::regconfig
            WHEN 'english' THEN 'pg_catalog.english'::regconfig
            WHEN 'finnish' THEN 'pg_catalog.finnish'::regconfig
            WHEN 'french' THEN 'pg_catalog.french'::regconfig
            WHEN 'german' THEN 'pg_catalog.german'::regconfig
            WHEN 'greek' THEN 'pg_catalog.greek'::regconfig
            WHEN 'hindi' THEN 'pg_catalog.hindi'::regconfig
            WHEN 'hungarian' THEN 'pg_catalog.hungarian'::regconfig
            WHEN 'indonesian' THEN 'pg_catalog.indonesian'::regconfig
            WHEN 'irish' THEN 'pg_catalog.irish'::regconfig
            WHEN 'italian' THEN 'pg_catalog.italian'::regconfig
            WHEN 'lithuanian' THEN 'pg_catalog.lithuanian'::regconfig
            WHEN 'nepali' THEN 'pg_catalog.nepali'::regconfig
            WHEN 'norwegian' THEN 'pg_catalog.norwegian'::regconfig
            WHEN 'portuguese' THEN 'pg_catalog.portuguese'::regconfig
            WHEN 'romanian' THEN 'pg_catalog.romanian'::regconfig
            WHEN 'russian' THEN 'pg_catalog.russian'::regconfig
            WHEN 'serbian' THEN 'pg_catalog.serbian'::regconfig
            WHEN 'spanish' THEN 'pg_catalog.spanish'::regconfig
            WHEN 'swedish' THEN 'pg_catalog.swedish'::regconfig
            WHEN 'tamil' THEN 'pg_catalog.tamil'::regconfig
            WHEN 'turkish' THEN 'pg_catalog.turkish'::regconfig
            WHEN 'yiddish' THEN 'pg_catalog.yiddish'::regconfig
        END, text)
    || array_to_tsvector(ARRAY['c' || collection_id::text])
) STORED;
CREATE INDEX chunks_words ON chunks USING gin (words);
