"""Apps as the front meets them: services that prove who they are, and what administrators make of them."""
