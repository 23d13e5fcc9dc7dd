"""Tables as text: for a terminal of any width, for a file, as Markdown and as LaTeX."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console
from rich.table import Table

from vae_lab.report.latex import escape

IMPORTANT = 2  # up to this rank a column is worth cells of two lines
LONGEST, HEAD = 24, 8  # characters of a long value in a narrow table, and how many of them are its beginning
WIDE = 1000  # columns: more than any table needs


@dataclass(frozen=True)
class Content:
    """A table as text.

    Args:
        headings: of the columns.
        rows: the cells of each row.
        words: how many of the last columns hold words, not figures.
        ranks: of the columns; those of rank 0 always stand, the others leave a narrow table from the highest down.
        notes: numbered from 1; rows refer to them as ``[1]``.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    ranks: Sequence[int] = ()
    notes: Sequence[str] = ()

    def rich(self) -> Table:
        """For the terminal. Headings of several words stand above each other."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
        figures = len(self.headings) - self.words
        for i, title in enumerate(self.headings):
            if i < figures:
                heading = title if {"(", "."} & set(title) else title.replace(" ", "\n").replace("_", "_\n")
                table.add_column(heading, justify="right", no_wrap=True)
            else:
                table.add_column(title, no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def fitting(self, width: int) -> tuple["Content", list[str]]:
        """The table with as many columns as a width takes, and the headings of those left out.

        Where the important ones do not fit, extents such as ``[2.9, 3.1]`` go below their figure. Where not even the
        swept values fit, long ones lose their middle.
        """
        if self.only({i for i, rank in enumerate(self.ranks) if rank == 0}).width > width:
            return self.shortened().fitted(width)
        return self.fitted(width)

    def fitted(self, width: int) -> tuple["Content", list[str]]:
        """As ``fitting``, with values of any length."""
        kept = self.kept(width)
        if any(rank <= IMPORTANT and i not in kept for i, rank in enumerate(self.ranks)):
            stacked = self.stacked()
            kept = stacked.kept(width)
            return stacked.only(kept), self.without(kept)
        return self.only(kept), self.without(kept)

    def kept(self, width: int) -> set[int]:
        """The columns that fit, taken in the order of their ranks."""
        ranks = list(self.ranks) or [0] * len(self.headings)
        kept = {i for i, rank in enumerate(ranks) if rank == 0}
        for i in sorted(range(len(ranks)), key=ranks.__getitem__):
            if self.only({*kept, i}).width <= width:
                kept.add(i)
        return kept

    def without(self, kept: set[int]) -> list[str]:
        """The headings of all other columns."""
        return [title for i, title in enumerate(self.headings) if i not in kept]

    def shortened(self) -> "Content":
        """The same table with long values of the columns that always stand cut in their middle."""
        figures = len(self.headings) - self.words
        long = {i for i, rank in enumerate(self.ranks) if rank == 0 and i < figures}
        columns = [
            shortened(cells) if i in long else cells
            for i, cells in enumerate(list(column) for column in zip(*self.rows, strict=True))
        ]
        return replace(self, rows=list(zip(*columns, strict=True)))

    def stacked(self) -> "Content":
        """The same table with each extent below its figure."""
        figures = len(self.headings) - self.words
        rows = [[cell.replace(" [", "\n[") if i < figures else cell for i, cell in enumerate(row)] for row in self.rows]
        return replace(self, rows=rows)

    def only(self, columns: set[int]) -> "Content":
        """The same table with these columns."""
        first_of_words = len(self.headings) - self.words
        return replace(
            self,
            headings=[self.headings[i] for i in sorted(columns)],
            rows=[[row[i] for i in sorted(columns)] for row in self.rows],
            words=sum(i >= first_of_words for i in columns),
            ranks=[self.ranks[i] for i in sorted(columns)] if self.ranks else (),
        )

    @property
    def width(self) -> int:
        """How many columns of a terminal it takes."""
        return wide().measure(self.rich()).maximum

    @property
    def numbered(self) -> list[str]:
        """The notes with their numbers."""
        return [f"[{i}] {note}" for i, note in enumerate(self.notes, start=1)]

    def markdown(self) -> str:
        """As a Markdown table, its notes as paragraphs below."""
        figures = len(self.headings) - self.words
        rule = ["---:" if i < figures else "---" for i in range(len(self.headings))]
        lines = [f"| {' | '.join(row)} |" for row in (self.headings, rule, *self.rows)]
        return "\n".join([*lines, *(f"\n{note}" for note in self.numbered)])

    def latex(self) -> str:
        """As a LaTeX tabular, its notes as paragraphs below; needs the package booktabs."""
        columns = "r" * (len(self.headings) - self.words) + "l" * self.words
        lines = [" & ".join(map(escape, row)) + r" \\" for row in (self.headings, *self.rows)]
        body = [lines[0], r"\midrule", *lines[1:]]
        tabular = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"]
        return "\n".join([*tabular, *(f"\n{escape(note)}" for note in self.numbered)])


def shortened(values: Sequence[str]) -> Sequence[str]:
    """Values without the middle of long ones; as they are where that would make two of them look alike.

    Example:
        >>> shortened(["data/faces/of/people/all.npz", "digits"])
        ['data/fac...eople/all.npz', 'digits']
    """
    cut = [value if len(value) <= LONGEST else f"{value[:HEAD]}...{value[HEAD + 3 - LONGEST :]}" for value in values]
    return cut if len(set(cut)) == len(set(values)) else values


def wide() -> Console:
    """A console without bounds or control characters: a figure that is cut off is none."""
    return console(WIDE)


def console(width: int) -> Console:
    """A console of a width, without control characters."""
    return Console(width=width, no_color=True, highlight=False, emoji=False, markup=False, force_terminal=False)


def terminal_width() -> int | None:
    """The columns of the terminal; None where the output goes to a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(table: Table, width: int = WIDE) -> None:
    """Print a table, by default as wide as it is, without trailing blanks."""
    print(text_of(table, width))


def text_of(table: Table, width: int = WIDE) -> str:
    """What ``show`` prints."""
    screen = console(width)
    with screen.capture() as capture:
        screen.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def show_content(content: Content, full: str) -> None:
    """Print a table with its notes: all columns into a file or pipe, else those that fit the terminal.

    Args:
        content: the table.
        full: the name of the file that has all columns.
    """
    width = terminal_width()
    fitted, left_out = (content, []) if width is None else content.fitting(width)
    show(fitted.rich())
    say(content.numbered, indent=4)
    if left_out:
        say([f"not shown, but in {full}: {', '.join(left_out)}"])
    if content.notes or left_out:
        print()


def say(lines: Iterable[str], indent: int = 0) -> None:
    """Print lines of words, each broken between words where the terminal is narrower."""
    width = terminal_width()
    for line in lines:
        options = {"subsequent_indent": " " * indent, "break_long_words": False, "break_on_hyphens": False}
        print(line if width is None else textwrap.fill(line, width, **options))  # type: ignore[arg-type]


def words_table(rows: Sequence[tuple[str, str]]) -> Table:
    """A row per check: its name, and what it found."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, words in rows:
        table.add_row(name, words)
    return table
