"""The only room of the workers that speaks to PostgreSQL. Statements are SQL, one to a file, in ``sql/``."""
