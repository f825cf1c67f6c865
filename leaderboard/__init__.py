"""The leaderboard: results in plain files, ranked in statistical tiers, shown as a table or a static site.

:mod:`entries` are the records of a board, :mod:`board_files` keeps them, :mod:`scoring` turns predictions into scores,
:mod:`references` adds what every table is compared with, :mod:`submitting` and :mod:`verifying` are what the command
line calls. :mod:`board_table` reads the stored scores, :mod:`ranking` orders them, :mod:`derived` and :mod:`columns`
define what is shown, :mod:`printing` and :mod:`leaderboard.site` show it. From :mod:`board_table` on only the board is
needed: no task, no simulator, no model library.
"""
