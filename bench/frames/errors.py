"""What the broker said, or that it is gone."""


class BrokerError(Exception):
    """The broker cannot be reached, refused the login or a request, or the connection to it was lost."""
