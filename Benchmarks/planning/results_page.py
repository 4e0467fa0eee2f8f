"""Results within pages: what stands between two markers."""
import sys
from pathlib import Path


def replace_results(path, begin, end, lines):
    """Writes lines between the markers `begin` and `end` of a page; ends the program where the page lacks these."""
    text = Path(path).read_text()
    if begin not in text or end not in text:
        sys.exit(f"error: {path}: has no markers '{begin}' and '{end}' for the results")
    Path(path).write_text(text[:text.index(begin)] + begin + "\n" + "\n".join(lines) + "\n" + text[text.index(end):])
