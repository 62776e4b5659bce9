SELECT auth.add_mail_token($1, $2, $3, $4)
