"""QR codes, as images that need no other server."""

from __future__ import annotations

import io

import segno


def svg(text: str) -> str:
    """The text as a QR code: an SVG document, dark on white, which scales to any size."""
    image = io.BytesIO()
    code = segno.make(text, micro=False)
    code.save(image, kind="svg", xmldecl=False, nl=False, omitsize=True, light="#fff")
    return image.getvalue().decode()
