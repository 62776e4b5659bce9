"""Bodies of the routes about oneself, as clients send and receive them."""

from __future__ import annotations

from api.auth.bodies import Body, Label, UserView
from api.auth.me.store import Profile
from api.auth.model import Language


class ProfileBody(Body):
    """Body of ``PATCH /auth/me``; ``null`` clears the name."""

    name: Label | None


class ProfileView(UserView):
    """A user as the user sees it: ``twoFactor`` tells whether a second factor is on."""

    language: Language
    two_factor: bool

    @classmethod
    def of_profile(cls, profile: Profile) -> ProfileView:
        """The view of a profile."""
        return cls.model_construct(**vars(profile.user), language=profile.language, two_factor=profile.two_factor)
