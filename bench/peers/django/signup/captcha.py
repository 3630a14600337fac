"""Captcha pictures."""

import io
import random

from PIL import Image, ImageDraw, ImageFont

LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
FONT = ImageFont.load_default()


def picture():
    """Return four characters and a PNG that shows them under some lines."""
    text = ''.join(random.choices(LETTERS, k=4))
    small = Image.new('RGB', (40, 16), 'white')
    draw = ImageDraw.Draw(small)
    for i, letter in enumerate(text):
        draw.text((3 + 9 * i, random.randint(1, 4)), letter, font=FONT, fill=(random.randint(0, 120), 0, 90))
    image = small.resize((160, 64), Image.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        draw.line([(random.randint(0, 160), random.randint(0, 64)) for _ in range(2)], fill=(90, 0, 90))
    out = io.BytesIO()
    image.save(out, 'PNG')
    return text, out.getvalue()
