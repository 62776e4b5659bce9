"""What happens to credits and users, read from the log or from a queue of one's own."""

from mana_client.events.model import Event, Gap, Item, LogGap, LogReplaced, Position, Start
from mana_client.events.positions import FileStore, PositionStore

__all__ = ["Event", "FileStore", "Gap", "Item", "LogGap", "LogReplaced", "Position", "PositionStore", "Start"]
