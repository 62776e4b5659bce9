SELECT user_id, email, name, language, verified, banned, owner_email, owner_language, owner_banned
FROM auth.find_mail_recipient($1)
