"""Small pictures as a tablet would take them: a sheet that was signed, a board before its centre, what was seen.

Drawn, not photographed: everybody here is invented.
"""

from __future__ import annotations

import datetime as dt
import io
import random
from functools import cache

from PIL import Image, ImageDraw, ImageFont

_SIZE = (480, 360)
_INK, _STAMP, _DATE, _EDGE = (30, 40, 90), (140, 30, 60), (250, 220, 90), (40, 34, 30)
_EARTH, _SKY, _WALL, _LEAVES, _TRUNK = (196, 142, 92), (178, 208, 232), (222, 190, 150), (74, 122, 58), (96, 66, 44)
_CLOTHES = ((176, 58, 46), (36, 92, 140), (214, 158, 46), (60, 130, 96), (120, 72, 140), (232, 226, 214))
_SKINS = ((92, 58, 40), (74, 46, 32), (112, 72, 50))


def picture(rng: random.Random, kind: str, at: dt.datetime) -> bytes:
    """A JPEG that no other visit has. `kind` is the question that asks for it."""
    image = Image.new("RGB", _SIZE, _EARTH)
    draw = ImageDraw.Draw(image)
    match kind:
        case "attendance_photo":
            _sheet(rng, draw, "LISTE DES PARTICIPANTS", lines=11)
        case "contract_photo":
            _sheet(rng, draw, "CONTRAT DE VENTE", lines=7)
            _stamp(rng, draw)
        case "board_photo":
            _outside(rng, draw)
            _people(rng, draw, rng.randint(5, 9))
        case _:
            _outside(rng, draw)
            _people(rng, draw, 2)
    draw.text(
        (_SIZE[0] - 12, _SIZE[1] - 10),
        f"{at:%Y-%m-%d %H:%M}",
        _DATE,
        _font(16),
        anchor="rb",
        stroke_width=2,
        stroke_fill=_EDGE,
    )
    written = io.BytesIO()
    image.save(written, "JPEG", quality=82)
    return written.getvalue()


def _sheet(rng: random.Random, draw: ImageDraw.ImageDraw, title: str, lines: int) -> None:
    """A written page on a table, a little askew; each line has a name and a signature."""
    lean = rng.randint(-8, 8)
    draw.polygon([(60, 12 + lean), (420, 12 - lean), (424, 352), (56, 352)], (244, 240, 226))
    draw.text((240, 34), title, _INK, _font(18), anchor="mm")
    for line in range(lines):
        y = 66 + line * (270 // lines)
        draw.line([(80, y + 12), (400, y + 12)], (200, 200, 210))
        _scribble(rng, draw, 84, y, rng.randint(70, 140))
        _scribble(rng, draw, 300, y, rng.randint(40, 80))


def _scribble(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, y: int, width: int) -> None:
    draw.line([(x + step, y + rng.randint(-6, 10)) for step in range(0, width, 4)], _INK, 2, joint="curve")


def _stamp(rng: random.Random, draw: ImageDraw.ImageDraw) -> None:
    x, y = rng.randint(280, 350), rng.randint(270, 300)
    draw.ellipse([x - 42, y - 42, x + 42, y + 42], outline=_STAMP, width=3)
    draw.ellipse([x - 30, y - 30, x + 30, y + 30], outline=_STAMP, width=2)
    draw.text((x, y), "MALI", _STAMP, _font(16), anchor="mm")


def _outside(rng: random.Random, draw: ImageDraw.ImageDraw) -> None:
    """Sky, earth, a house with a door, and a tree or two."""
    horizon = rng.randint(150, 190)
    draw.rectangle([0, 0, _SIZE[0], horizon], _SKY)
    left = rng.randint(30, 200)
    draw.rectangle([left, horizon - 80, left + 190, horizon + 36], _WALL)
    draw.polygon([(left - 14, horizon - 80), (left + 95, horizon - 122), (left + 204, horizon - 80)], _TRUNK)
    draw.rectangle([left + 80, horizon - 34, left + 112, horizon + 36], _TRUNK)
    for x in rng.sample(range(20, 460, 40), 2):
        draw.rectangle([x - 5, horizon - 40, x + 5, horizon + 30], _TRUNK)
        draw.ellipse([x - 38, horizon - 98, x + 38, horizon - 26], _LEAVES)


def _people(rng: random.Random, draw: ImageDraw.ImageDraw, count: int) -> None:
    for number in range(count):
        x, y = 40 + (number * 400 + 200) // count, 230 + rng.randint(-8, 8)
        draw.rounded_rectangle([x - 19, y, x + 19, y + 96], 14, rng.choice(_CLOTHES))
        draw.ellipse([x - 14, y - 30, x + 14, y + 2], rng.choice(_SKINS))
        if rng.random() < 0.6:
            draw.pieslice([x - 17, y - 36, x + 17, y - 2], 180, 360, rng.choice(_CLOTHES))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
