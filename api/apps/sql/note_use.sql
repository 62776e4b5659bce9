SELECT auth.note_app_secret_use($1)
