"""The data set card: what is counted, drawn and said in it, and how people's own words survive."""
