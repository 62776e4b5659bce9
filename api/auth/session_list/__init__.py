"""What users see of their own sessions, and how they end them one by one."""
