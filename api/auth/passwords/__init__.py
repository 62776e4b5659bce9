"""What makes a password good enough, and how it is changed. To come but for its place in a registration."""
