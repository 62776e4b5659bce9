-- By their sessions, which alone have an index by user.
SELECT refresh_tokens.session_id, refresh_tokens.generation, refresh_tokens.created_at, refresh_tokens.expires_at
FROM auth.sessions JOIN auth.refresh_tokens ON refresh_tokens.session_id = sessions.id
WHERE sessions.user_id = auth.this_user()
  AND (refresh_tokens.session_id, refresh_tokens.generation)
      > (coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid), coalesce($3, 0))
ORDER BY refresh_tokens.session_id, refresh_tokens.generation
LIMIT $1
