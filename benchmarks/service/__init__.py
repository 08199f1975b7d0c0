"""A service on loopback: an ASGI handler that calls plain SQLAlchemy ORM code, and a client that asks it.

- `models.py`: the tables and the plain functions, which know nothing of how they wait.
- `adapter.py`: SQLAlchemy's own asyncio dialect of aiosqlite, told to wait by `ohwait`, or by greenlets as it is.
- `ways.py`: what the handler calls, for each contender.
- `server.py`: the handler, in a process of its own; `client.py` asks it over some connections.
"""
