"""What can go wrong, as one sentence for whoever started the migrations."""


class MigrationError(Exception):
    """The schema could not be brought where it was asked to be; nothing of the failing file is left behind."""
