"""Apps and their secrets, as administrators and operators make, change and revoke them."""
