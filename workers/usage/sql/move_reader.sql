INSERT INTO credits.usage_reader (stream_offset, event_id) VALUES ($1, $2)
ON CONFLICT (single) DO UPDATE
SET stream_offset = excluded.stream_offset, event_id = excluded.event_id, read_at = excluded.read_at
