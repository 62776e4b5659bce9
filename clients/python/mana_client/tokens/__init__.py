"""Who shows an access token, and what it lets them do."""

from mana_client.tokens.claims import ServiceToken, Token, UserToken
from mana_client.tokens.verifier import TokenVerifier

__all__ = ["ServiceToken", "Token", "TokenVerifier", "UserToken"]
