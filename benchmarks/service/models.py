"""Authors and their books: tables, and plain ORM code that looks an author up."""

import sqlite3
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

AUTHORS, BOOKS = 200, 5


class Base(DeclarativeBase):
    """The tables' common base."""


class Author(Base):
    """A row of `author`."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    """A row of `book`."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), index=True)


def page(engine: Any, number: int) -> dict[str, Any]:
    """An author and the titles of the books, by two queries."""
    session = Session(engine)
    author = session.get(Author, number)
    assert author is not None
    books = session.execute(select(Book).where(Book.author_id == number)).scalars().all()
    found = {"name": author.name, "books": [book.title for book in books]}
    session.close()
    return found


def fill(path: str) -> None:
    """Make the database in the file `path`."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER)")
        database.execute("CREATE INDEX by_author ON book (author_id)")
        for number in range(1, AUTHORS + 1):
            database.execute("INSERT INTO author VALUES (?, ?)", (number, f"Author {number}"))
            titles = [(f"Book {count} of {number}", number) for count in range(BOOKS)]
            database.executemany("INSERT INTO book (title, author_id) VALUES (?, ?)", titles)
    database.close()
