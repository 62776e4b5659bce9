SELECT seconds, decided FROM credits.pause_app_login($1, $2)
