"""The second factor. To come but for its place in a sign-in."""
