"""Keys of users' own scripts: made and revoked by a session, good for little, and looked at each time."""
