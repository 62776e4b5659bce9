"""What can be bought: declared by an operator's file or by administrators, compared, and shown to those who buy."""
