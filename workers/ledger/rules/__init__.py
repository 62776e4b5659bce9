"""What the ledger decides: state and commands in; answers, transactions and new state out. Pure, on plain data.

- ``deciding``    the order of the checks, and which rule a command meets
- ``batch``       what the commands of one batch share, and what they have come to so far
- ``lots``        the order in which credits are used, and moving them out of and into lots
- ``journal``     a change of the figures becomes a transaction with its postings
- ``settling``    what has to move so that a purchase is where its facts want it
- ``spending``, ``refunding``, ``granting``, ``adjusting``, ``expiring``, ``freezing``, ``warning``,
  ``paying``    one rule each
"""

from workers.ledger.rules.deciding import decide

__all__ = ["decide"]
