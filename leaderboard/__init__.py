"""The leaderboard: results in plain files, ranked in statistical tiers, shown as a table or a static site.

:mod:`entries` are the records of a board, :mod:`board_files` keeps them, :mod:`board_predictions` scores what was
submitted, :mod:`references` adds what every table is compared with. :mod:`intake`, :mod:`verifying` and
:mod:`recomputing` are what the command line calls. :mod:`board_table` reads the stored scores, :mod:`ranking` orders
them, :mod:`derived` and :mod:`columns` define what is shown, :mod:`board_documents` and :mod:`leaderboard.site` show
it. From :mod:`board_table` on only the board is needed: no task, no simulator, no model library.
"""
