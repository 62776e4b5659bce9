"""What users leave behind: customers at Stripe and their open checkouts, what Stripe told of them, and purchases that
nobody ends.

``forgetting`` is about users who were deleted, ``abandoned`` about purchases that stay pending; ``rounds`` does both
now and then.
"""
