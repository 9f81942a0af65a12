-- name: note_failure
-- The model's row under lock, made if there was none.
INSERT INTO pauses (model, paused_until, reason_code, reason_detail)
VALUES (%(model)s, now(), %(code)s, %(detail)s)
ON CONFLICT (model) DO UPDATE SET reason_code = pauses.reason_code RETURNING failures, paused_until

-- name: pause
-- A longer pause goes before a shorter one, but a probe's before the time that was given to the probe.
UPDATE pauses SET failures = %(failures)s, reason_code = %(code)s, reason_detail = %(detail)s,
       paused_until = greatest(now() + make_interval(secs => %(pause_s)s), CASE WHEN NOT %(probes)s THEN paused_until END)
WHERE model = %(model)s RETURNING paused_until

-- name: probe
-- One claim tries it; the others wait for its result, or until it should have had one.
UPDATE pauses SET paused_until = now() + make_interval(secs => %(wait_s)s) WHERE model = %(model)s

-- name: go_on
-- The provider answered. A pause that a rate limit began meanwhile stays.
DELETE FROM pauses WHERE model = %(model)s AND (failures > 0 OR paused_until <= now())
