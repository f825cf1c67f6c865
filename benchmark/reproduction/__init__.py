"""The paper's tables from our own runs: layouts, the runs behind them, and five formats to read them in."""
