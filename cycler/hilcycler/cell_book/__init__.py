"""Cells as records: what each is made of, every correction with its author, and where it has been."""

from hilcycler.cell_book.book import CellBook, CellRecord, Change
from hilcycler.cell_book.corrected import open_corrected
from hilcycler.cell_book.described import described
from hilcycler.cell_book.importing import read_csv

__all__ = ["CellBook", "CellRecord", "Change", "described", "open_corrected", "read_csv"]
