-- When a key was last used, to the minute or so, and which key took its place: that one is the same to its users.
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
ALTER TABLE api_keys ADD COLUMN replaced_by bigint REFERENCES api_keys;
