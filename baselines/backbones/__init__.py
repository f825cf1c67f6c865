"""Vision-language models behind one small interface (PROTOCOL sections 6 and 7)."""
