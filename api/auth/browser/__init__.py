"""Sessions of browsers: the refresh token in a cookie that no script reads, used by our own pages alone."""
