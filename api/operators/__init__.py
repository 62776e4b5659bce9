"""Programs of an operator's, behind ``./mana``: each is told what it acts as, and says what it did."""
