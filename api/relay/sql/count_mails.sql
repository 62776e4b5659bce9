SELECT count(*) FROM auth.mails
