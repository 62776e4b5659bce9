"""What users see, change, take along and delete of themselves."""
