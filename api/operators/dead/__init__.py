"""Dead letters: commands that were kept in ``credits.dead``, looked at, sent again, or given up by an operator."""
