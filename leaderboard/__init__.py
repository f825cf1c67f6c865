"""The leaderboard: results in plain files, ranked in statistical tiers, shown as a table or a static site.

:mod:`entries` are the records of a board, :mod:`store` keeps them, :mod:`scoring` turns predictions into scores,
:mod:`references` adds what every table is read against, :mod:`submitting` and :mod:`verifying` are what the command
line calls. :mod:`results` reads the stored table, :mod:`ranking` orders it, :mod:`derived` and :mod:`columns` say what
is shown of it, :mod:`printing` and :mod:`leaderboard.site` show it. From :mod:`results` on nothing but the board is
needed: no task, no simulator, no model library.
"""
