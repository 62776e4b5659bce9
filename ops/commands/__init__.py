"""The commands of ./mana, by what they are for: each reads what was asked, and hands over."""
