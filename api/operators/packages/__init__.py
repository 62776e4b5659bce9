"""What can be bought, as a file: read, compared with the database, applied."""
