SELECT stream_offset, event_id FROM credits.usage_reader
